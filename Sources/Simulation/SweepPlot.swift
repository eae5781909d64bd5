internal import Foundation

/// A sweep as a picture: mean added latency over the pool's memory, a line to each policy, its knee marked.
public struct SweepPlot: Sendable {
    private let sweep: Sweep
    private let title: String
    private static let colours = ["#0b6e4f", "#c44536", "#2f5d9b", "#8a5a00", "#6b4fa0", "#3a8fa0", "#777777"]
    private static let size = (width: 980.0, height: 520.0)
    private static let frame = (left: 80.0, right: 690.0, top: 50.0, bottom: 455.0)

    public init(_ sweep: Sweep, title: String) {
        self.sweep = sweep
        self.title = title
    }

    /// The picture as a complete SVG document. Latencies of 0 are drawn at the lower edge.
    public var svg: String {
        let x = Axis(sweep.points.map(\.gigabytes), from: Self.frame.left + 15, to: Self.frame.right - 15)
        let latencies = sweep.points.map { max($0.result.meanLatency * 1000, 0.001) }
        let y = Axis(latencies, from: Self.frame.bottom - 15, to: Self.frame.top + 15)
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Self.size.width) \(Self.size.height)\" font-family=\"sans-serif\" "
                + "font-size=\"13\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
            text(title, x: Self.frame.left, y: 28, weight: "bold"),
            text("memory for containers, GiB", x: (Self.frame.left + Self.frame.right) / 2, y: 500, anchor: "middle"),
            text("mean added latency, ms", x: Self.frame.left, y: 45),
        ]
        for tick in Set(sweep.points.map(\.gigabytes)).sorted() {
            lines.append(text(Self.number(tick), x: x.place(tick), y: Self.frame.bottom + 20, anchor: "middle"))
        }
        for tick in y.decades {
            let place = y.place(tick)
            lines.append(
                "<line x1=\"\(Self.frame.left)\" x2=\"\(Self.frame.right)\" y1=\"\(place)\" y2=\"\(place)\" stroke=\"#dddddd\"/>")
            lines.append(text(Self.number(tick), x: Self.frame.left - 8, y: place + 4, anchor: "end"))
        }
        for (number, policy) in sweep.policies.enumerated() {
            lines += curve(policy, Self.colours[number % Self.colours.count], number, x, y)
        }
        return lines.joined(separator: "\n") + "\n</svg>\n"
    }

    private func curve(_ policy: String, _ colour: String, _ number: Int, _ x: Axis, _ y: Axis) -> [String] {
        let places = sweep.points(of: policy).map { (x.place($0.gigabytes), y.place(max($0.result.meanLatency * 1000, 0.001))) }
        let path = places.map { "\($0.0),\($0.1)" }.joined(separator: " ")
        var lines = ["<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\"/>"]
        lines += places.map { "<circle cx=\"\($0.0)\" cy=\"\($0.1)\" r=\"3\" fill=\"\(colour)\"/>" }
        let row = Self.frame.top + 20 + Double(number) * 22
        lines.append("<line x1=\"705\" x2=\"725\" y1=\"\(row - 4)\" y2=\"\(row - 4)\" stroke=\"\(colour)\" stroke-width=\"3\"/>")
        var label = policy
        if let knee = sweep.knee(of: policy) {
            let place = (x.place(knee.gigabytes), y.place(max(knee.result.meanLatency * 1000, 0.001)))
            lines.append(
                "<circle cx=\"\(place.0)\" cy=\"\(place.1)\" r=\"9\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\"/>")
            label += " (knee \(Self.number(knee.gigabytes)))"
        }
        lines.append(text(label, x: 730, y: row, size: 11))
        return lines
    }

    private func text(
        _ text: String, x: Double, y: Double, anchor: String = "start", weight: String = "normal", size: Int = 13
    ) -> String {
        let escaped = text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
        return "<text x=\"\(x)\" y=\"\(y)\" text-anchor=\"\(anchor)\" font-weight=\"\(weight)\" font-size=\"\(size)\">\(escaped)</text>"
    }

    private static func number(_ value: Double) -> String { String(format: "%g", value) }

    /// A logarithmic axis over positive values.
    private struct Axis {
        let low: Double
        let high: Double
        let from: Double
        let to: Double

        init(_ values: [Double], from: Double, to: Double) {
            low = values.min() ?? 1
            high = max(values.max() ?? 10, low * 1.0001)
            self.from = from
            self.to = to
        }

        func place(_ value: Double) -> Double {
            let part = log(value / low) / log(high / low)
            return ((from + (to - from) * part) * 10).rounded() / 10
        }

        /// Powers of ten within the axis; its ends when there is none.
        var decades: [Double] {
            let powers = (-6...6).map { pow(10, Double($0)) }.filter { $0 >= low && $0 <= high }
            return powers.isEmpty ? [low, high] : powers
        }
    }
}
