import ContentDistribution
import EngineCore
import FunctionCatalog

extension LambdaResponder {
    /// GetAccountSettings: Lambda's limits as far as they hold here, and what the account uses in the region. O(its functions).
    func getAccountSettings(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            var (functionCount, codeBytes) = (0, 0)
            var marker: String?
            repeat {
                let page = try reading(nil) { (catalog) throws(CatalogError) in
                    try catalog.list(
                        account: call.caller.account, region: call.caller.region, allVersions: true, after: marker, limit: 1000)
                }
                functionCount += page.entries.count { $0.version == .latest }
                codeBytes += page.entries.reduce(0) { $0 + $1.code.size.bytes }
                marker = page.next
            } while marker != nil
            let concurrency = try reading(nil) { (catalog) throws(CatalogError) in
                try catalog.concurrency(of: call.caller.account, region: call.caller.region)
            }
            return .json { json in
                json.member("AccountLimit") { limit in
                    limit.member("TotalCodeSize", 80_530_636_800)
                    limit.member("CodeSizeUnzipped", services.bundles.extractor.limits.unzippedBytes.bytes)
                    limit.member("CodeSizeZipped", limits.zippedBytes.bytes)
                    limit.member("ConcurrentExecutions", concurrency.limit)
                    limit.member("UnreservedConcurrentExecutions", concurrency.unreserved)
                }
                json.member("AccountUsage") { usage in
                    usage.member("TotalCodeSize", codeBytes)
                    usage.member("FunctionCount", functionCount)
                }
            }
        }
    }
}
