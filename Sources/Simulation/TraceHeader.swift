/// The `.json` of a trace. The names are those of the published traces' converters.
struct TraceHeader: Codable {
    var n: Int
    var mem_mb: [Double]
    var cold_s: [Double]?
    var rtt_s: [Double]?
    var spare_s: [Double]?
    var account: [Int32]?
    var names: [String]?
    var actual: Bool?
}
