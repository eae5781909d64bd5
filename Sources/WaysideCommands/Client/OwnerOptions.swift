internal import ArgumentParser
internal import Foundation

/// Whose functions a command is about, and where: the same variables that the AWS tools read.
struct OwnerOptions: ParsableArguments {
    @Option(help: "The API of a node. Default: $AWS_ENDPOINT_URL, else http://127.0.0.1:9000.")
    var endpoint: String?

    @Option(help: "The region of the function's ARN. Default: $AWS_REGION, $AWS_DEFAULT_REGION, else us-east-1.")
    var region: String?

    /// - Throws: when no access key is in the environment.
    func client() throws -> LambdaClient {
        let environment = ProcessInfo.processInfo.environment
        guard let id = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"] else {
            throw CommandFailure(
                "No access key. Make one with `wayside account create` and export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
        }
        let region = region ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? "us-east-1"
        let endpoint = endpoint ?? environment["AWS_ENDPOINT_URL"] ?? "http://127.0.0.1:9000"
        guard let url = URL(string: endpoint), url.host?.isEmpty == false, ["http", "https"].contains(url.scheme),
            ["", "/"].contains(url.path)
        else {
            throw CommandFailure("'\(endpoint)' is not an address. Give http://HOST:PORT.")
        }
        return LambdaClient(endpoint: url, accessKeyID: id, secret: secret, region: region)
    }
}
