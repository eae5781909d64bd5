/// Columns as wide as their widest cell, two spaces apart; numbers to the right.
///
/// Where a width is given, the table keeps to it: first texts that may be shortened lose their middle, then the least important columns
/// go, and a last line says which. The first column always stays, and only it can make a line too long.
struct Table {
    struct Column {
        let title: String
        /// Columns of a lower importance go first; of an equal one, the right one.
        var importance = 5
        /// To how few places a cell may be shortened; `nil`: never.
        var shortest: Int?
        /// Never to the right, also where every cell happens to be a number.
        var isText = false

        init(_ title: String, importance: Int = 5, shortest: Int? = nil, isText: Bool = false) {
            self.title = title
            self.importance = importance
            self.shortest = shortest
            self.isText = isText
        }
    }

    let columns: [Column]
    var rows: [[String]] = []

    init(header: [String]) { self.init(columns: header.map { Column($0) }) }

    init(columns: [Column]) { self.columns = columns }

    private static let gap = 2

    /// - Parameters:
    ///   - width: in places of the terminal; `nil`: as wide as it comes out.
    ///   - saysMissing: whether a last line names the columns that are not shown.
    func render(width: Int? = nil, saysMissing: Bool = true) -> String {
        let cells = rows.map { $0.map(Terminal.printable) }
        let natural = columns.indices.map { index in
            max(columns[index].title.count, cells.map { Terminal.places($0[index]) }.max() ?? 0)
        }
        let (kept, widths) = layout(natural, in: width ?? .max)
        let isNumeric = columns.indices.map { index in
            !columns[index].isText && !cells.isEmpty && cells.allSatisfy { Self.isNumber($0[index]) }
        }
        func line(_ cells: [String]) -> String {
            var text = ""
            for (position, index) in kept.enumerated() {
                let cell = Self.shortened(cells[index], to: widths[index])
                let pad = String(repeating: " ", count: widths[index] - Terminal.places(cell))
                text += (position == 0 ? "" : String(repeating: " ", count: Self.gap)) + (isNumeric[index] ? pad + cell : cell + pad)
            }
            while text.last == " " { text.removeLast() }
            return text
        }
        var lines = [line(columns.map(\.title))] + cells.map(line)
        let dropped = columns.indices.filter { !kept.contains($0) }.map { columns[$0].title }
        if !dropped.isEmpty, saysMissing {
            var note = Paragraph(width: width ?? .max, labelWidth: 11)
            note.add("not shown:", dropped.joined(separator: ", "))
            lines += note.lines
        }
        return lines.joined(separator: "\n")
    }

    /// The columns that stay, and how wide each is.
    private func layout(_ natural: [Int], in width: Int) -> (kept: [Int], widths: [Int]) {
        var kept = Array(columns.indices)
        let least = columns.indices.map { index in
            columns[index].shortest.map { min(natural[index], max($0, columns[index].title.count)) } ?? natural[index]
        }
        func total(_ widths: [Int]) -> Int { kept.reduce(0) { $0 + widths[$1] } + Self.gap * (kept.count - 1) }
        while total(least) > width, let last = kept.dropFirst().min(by: { (columns[$0].importance, -$0) < (columns[$1].importance, -$1) }) {
            kept.removeAll { $0 == last }
        }
        // What is left over goes to the shortened columns, the most important first.
        var widths = least
        var rest = width == .max ? .max : width - total(least)
        for index in kept.sorted(by: { (columns[$1].importance, $0) < (columns[$0].importance, $1) }) where rest > 0 {
            let more = min(rest, natural[index] - widths[index])
            widths[index] += more
            rest -= more
        }
        return (kept, widths)
    }

    /// Both ends of the text, more of the last, for there names have what tells them apart.
    static func shortened(_ text: String, to width: Int) -> String {
        guard Terminal.places(text) > width else { return text }
        let room = max(0, width - 1)
        var head = text.prefix(room / 3)
        while Terminal.places(String(head)) > room / 3 { head.removeLast() }
        var tail = text.suffix(room - Terminal.places(String(head)))
        while Terminal.places(String(tail)) > room - Terminal.places(String(head)) { tail.removeFirst() }
        return "\(head)…\(tail)"
    }

    /// A number with or without a unit.
    private static func isNumber(_ cell: String) -> Bool {
        if cell == "-" || cell.isEmpty { return true }
        let parts = cell.split(separator: " ", maxSplits: 1)
        guard Double(parts[0].replacing("%", with: "")) != nil else { return false }
        return parts.count == 1 || ["B", "KiB", "MiB", "GiB", "ms", "s", "min", "h", "d", "/s"].contains(parts[1])
    }
}
