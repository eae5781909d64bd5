import GRDB

/// The tables, as numbered migrations. A migration that was released is never edited; a new one follows it.
enum CatalogSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.execute(sql: accounts + functions + held + generations)
        }
        migrator.registerMigration("2") { db in
            try db.execute(sql: "ALTER TABLE accounts ADD COLUMN isolation TEXT NOT NULL DEFAULT 'shared'")
        }
        migrator.registerMigration("3") { db in
            try db.execute(sql: capacity)
        }
        migrator.registerMigration("4") { db in
            // When it was used or sent last, in seconds since 1970, as far as that was written down.
            try db.execute(
                sql: """
                    ALTER TABLE held_versions ADD COLUMN used_at REAL NOT NULL DEFAULT 0;
                    UPDATE held_versions SET used_at = CAST(strftime('%s', 'now') AS REAL);
                    CREATE INDEX held_versions_by_time ON held_versions(used_at);
                    """)
        }
        return migrator
    }

    private static let accounts = """
        CREATE TABLE accounts (
            id TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            created REAL NOT NULL
        ) STRICT;
        CREATE TABLE access_keys (
            id TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL REFERENCES accounts(id),
            secret BLOB NOT NULL, -- sealed
            created REAL NOT NULL
        ) STRICT;
        CREATE INDEX access_keys_by_account ON access_keys(account);

        """

    private static let functions = """
        CREATE TABLE functions (
            id INTEGER NOT NULL PRIMARY KEY,
            account TEXT NOT NULL REFERENCES accounts(id),
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            next_version INTEGER NOT NULL,
            tags TEXT NOT NULL, -- JSON
            UNIQUE (account, region, name)
        ) STRICT;
        CREATE TABLE versions (
            function INTEGER NOT NULL REFERENCES functions(id) ON DELETE CASCADE,
            number INTEGER NOT NULL, -- 0 is $LATEST
            revision TEXT NOT NULL,
            settings TEXT NOT NULL, -- JSON, the environment left out
            environment BLOB NOT NULL, -- JSON, sealed
            latest_description TEXT NOT NULL, -- of $LATEST when this version was published
            code_digest TEXT NOT NULL,
            code_size INTEGER NOT NULL,
            modified REAL NOT NULL,
            PRIMARY KEY (function, number)
        ) STRICT;
        CREATE INDEX versions_by_code ON versions(code_digest);
        -- Numbers of a deleted function go on where they ended when it is made again.
        CREATE TABLE retired_names (
            id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            next_version INTEGER NOT NULL,
            UNIQUE (account, region, name)
        ) STRICT;

        """

    private static let held = """
        CREATE TABLE held_versions (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            number INTEGER NOT NULL,
            revision TEXT NOT NULL,
            body BLOB NOT NULL, -- JSON, sealed
            code_digest TEXT NOT NULL,
            used INTEGER NOT NULL, -- counts uses of the whole table
            UNIQUE (account, region, name, number, revision)
        ) STRICT;
        CREATE INDEX held_versions_by_code ON held_versions(code_digest);
        CREATE INDEX held_versions_by_use ON held_versions(used);

        """

    /// Counts changes, whoever makes them, so that a process knows when what it remembers is out of date.
    private static let generations: String = {
        var sql = "CREATE TABLE generations (subject TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT;\n"
        for (subject, table) in [(Generation.accessKeys, "access_keys"), (Generation.functions, "versions")] {
            sql += "INSERT INTO generations VALUES ('\(subject.rawValue)', 1);\n"
            for event in ["INSERT", "UPDATE", "DELETE"] {
                sql += """
                    CREATE TRIGGER \(table)_\(event.lowercased()) AFTER \(event) ON \(table) BEGIN
                        UPDATE generations SET value = value + 1 WHERE subject = '\(subject.rawValue)';
                    END;

                    """
            }
        }
        return sql
    }()

    /// What accounts may take of the node's capacity, and what is reserved and provisioned for functions.
    ///
    /// Rows of the children of a deleted version go with it, and the triggers count that, too.
    private static let capacity: String = {
        var sql = """
            ALTER TABLE accounts ADD COLUMN permission TEXT; -- JSON; NULL is the standard one
            ALTER TABLE functions ADD COLUMN reserved_concurrency INTEGER; -- NULL is none
            CREATE INDEX functions_with_reserved_concurrency ON functions(id) WHERE reserved_concurrency IS NOT NULL;
            CREATE TABLE provisioned_concurrency (
                function INTEGER NOT NULL,
                number INTEGER NOT NULL, -- of the version
                count INTEGER NOT NULL,
                modified REAL NOT NULL,
                PRIMARY KEY (function, number),
                FOREIGN KEY (function, number) REFERENCES versions(function, number) ON DELETE CASCADE
            ) STRICT;
            INSERT INTO generations VALUES ('\(Generation.capacity.rawValue)', 1);

            """
        for (name, event) in [
            ("permission_changed", "UPDATE OF permission ON accounts"),
            ("reserved_concurrency_changed", "UPDATE OF reserved_concurrency ON functions"),
            ("reserved_concurrency_deleted", "DELETE ON functions WHEN OLD.reserved_concurrency IS NOT NULL"),
            ("provisioned_concurrency_insert", "INSERT ON provisioned_concurrency"),
            ("provisioned_concurrency_update", "UPDATE ON provisioned_concurrency"),
            ("provisioned_concurrency_delete", "DELETE ON provisioned_concurrency"),
        ] {
            sql += """
                CREATE TRIGGER \(name) AFTER \(event) BEGIN
                    UPDATE generations SET value = value + 1 WHERE subject = '\(Generation.capacity.rawValue)';
                END;

                """
        }
        return sql
    }()
}
