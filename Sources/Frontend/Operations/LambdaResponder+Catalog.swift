import ContentDistribution
import EngineCore
import FunctionCatalog
import Logging
import Synchronization

/// How operations reach the catalog. All of it blocks, so all of it runs on the threads made for that.
extension LambdaResponder {
    /// A call of the catalog, with its errors in the words of the API.
    /// - Parameters:
    ///   - key: the function it is about.
    ///   - qualifier: as the caller gave it.
    func reading<Value>(
        _ key: FunctionKey?, qualifier: String? = nil, _ work: (Catalog) throws(CatalogError) -> Value
    ) throws(LambdaError) -> Value {
        do throws(CatalogError) { return try work(services.catalog) } catch { throw LambdaError(error, key, qualifier: qualifier) }
    }

    /// A change to one function. One at a time, so that every version that is superseded is noticed, once.
    /// - Parameter work: commits the change and says what it leaves behind.
    func changing<Value>(
        _ key: FunctionKey, qualifier: String? = nil, _ work: (Catalog, inout FunctionChange) throws(LambdaError) -> Value
    ) throws(LambdaError) -> Value {
        let (value, change) = try changes.withLock { (_) throws(LambdaError) in
            var change = FunctionChange(superseded: [], unreferenced: [])
            let value = try work(services.catalog, &change)
            return (value, change)
        }
        if !change.superseded.isEmpty || !change.unreferenced.isEmpty { services.functionChanged(change) }
        return value
    }

    /// A change that makes versions of a function. Where this node has regions, it is made only once enough of them hold what it makes;
    /// until then, and for ever if they do not, everybody sees what was there before.
    ///
    /// - Parameter work: the change. It runs once more beforehand, on a catalog that keeps nothing, to know what it makes.
    func making(
        _ key: FunctionKey,
        _ work: @escaping @Sendable (Catalog, ChangeRevisions, inout FunctionChange) throws(LambdaError) -> FunctionEntry
    ) async throws(LambdaError) -> FunctionEntry {
        if let replicate = services.replicate {
            let (rehearsed, versions) = try await blocking.run { [self] () throws(LambdaError) in
                var revisions = ChangeRevisions()
                revisions.base = (try? services.catalog.pinned(key, .latest))?.revision
                let versions = try services.catalog.rehearse(revisions) { (catalog) throws(LambdaError) in
                    var change = FunctionChange(superseded: [], unreferenced: [])
                    return try work(catalog, revisions, &change)
                }
                return (revisions, versions)
            }
            do throws(LambdaError) {
                do throws(InvocationError) {
                    try await replicate(versions)
                } catch {
                    throw LambdaError(.serviceUnavailable, error.message)
                }
                return try await commit(key, rehearsed, work)
            } catch {
                services.abandoned(versions)
                throw error
            }
        }
        return try await commit(key, ChangeRevisions(), work)
    }

    private func commit(
        _ key: FunctionKey, _ revisions: ChangeRevisions,
        _ work: @escaping @Sendable (Catalog, ChangeRevisions, inout FunctionChange) throws(LambdaError) -> FunctionEntry
    ) async throws(LambdaError) -> FunctionEntry {
        try await blocking.run { [self] () throws(LambdaError) in
            try changing(key) { (catalog, change) throws(LambdaError) in try work(catalog, revisions, &change) }
        }
    }

    /// Makes a function refer to a package. The package is unpacked before anything else; only if somebody has removed it meanwhile,
    /// because nothing referred to it yet, is it unpacked again.
    func deploying(
        _ package: DeploymentPackage, to key: FunctionKey,
        _ work: @escaping @Sendable (Catalog, CodeReference, ChangeRevisions, inout FunctionChange) throws(CatalogError) -> FunctionEntry
    ) async throws(LambdaError) -> FunctionEntry {
        let code = try await blocking.run { [self] () throws(LambdaError) in try keeping(package) }
        do throws(LambdaError) {
            let entry = try await making(key) { [self] (catalog, revisions, change) throws(LambdaError) in
                if !services.bundles.contains(code.digest) { _ = try package.store(in: services.bundles) }
                do throws(CatalogError) { return try work(catalog, code, revisions, &change) } catch { throw LambdaError(error, key) }
            }
            letGo(code.digest)
            return entry
        } catch {
            // Containers may run from it, or another function be deployed from it: whoever knows removes it.
            letGo(code.digest)
            services.functionChanged(FunctionChange(superseded: [], unreferenced: [code.digest]))
            throw error
        }
    }

    /// Unpacks and keeps a package, which nobody removes until ``letGo(_:)``. Blocks.
    func keeping(_ package: DeploymentPackage) throws(LambdaError) -> CodeReference {
        let digest = BundleStore.digest(of: package.zip)
        // A removal that has begun is over then, and one that begins later leaves it.
        changes.withLock { _ in deploying.withLock { $0[digest, default: 0] += 1 } }
        do throws(LambdaError) {
            return try package.store(in: services.bundles)
        } catch {
            letGo(digest)
            throw error
        }
    }

    /// A deployment has ended, one way or the other. Does not block.
    func letGo(_ digest: ContentDigest) {
        deploying.withLock { deploying in
            let count = (deploying[digest] ?? 1) - 1
            deploying[digest] = count > 0 ? count : nil
        }
    }

    /// Removes the bundles among `digests` that nothing in the catalog refers to and that are not being deployed. What cannot be removed
    /// now stays until it is named again.
    func removeBundles(_ digests: Set<ContentDigest>) {
        changes.withLock { _ in
            let candidates = deploying.withLock { digests.subtracting($0.keys) }
            guard let unreferenced = try? services.catalog.unreferenced(among: candidates) else { return }
            for digest in unreferenced {
                do throws(ContentError) {
                    try services.bundles.remove(digest)
                } catch {
                    logger.warning("A bundle could not be removed", metadata: ["digest": "\(digest)", "error": "\(error)"])
                }
            }
        }
    }

    /// The version that a caller's qualifier names.
    /// - Throws: `ResourceNotFoundException` for what is no version; there are no aliases.
    func version(_ key: FunctionKey, _ qualifier: String?) throws(LambdaError) -> FunctionVersion {
        guard let version = FunctionVersion(qualifier ?? "$LATEST") else { throw .functionNotFound(key, qualifier: qualifier) }
        return version
    }
}
