/// Labelled text, wrapped between words, the label before the first line of each.
struct Paragraph {
    let width: Int
    let labelWidth: Int
    private(set) var lines: [String] = []

    /// - Parameters:
    ///   - width: columns of the whole; a word that is longer stands out.
    ///   - labelWidth: columns from the left edge to the text.
    init(width: Int, labelWidth: Int) {
        self.width = width
        self.labelWidth = labelWidth
    }

    mutating func addBlank() { lines.append("") }

    mutating func add(_ label: String, _ text: String) { add(label, each: [text]) }

    /// Each item begins a line; where it goes on, it is indented as its own blanks before the first word say. O(text).
    mutating func add(_ label: String, each items: [String]) {
        for (index, item) in items.enumerated() {
            let indent = String(repeating: " ", count: labelWidth + item.prefix { $0 == " " }.count)
            var line = index == 0 ? label + indent.dropFirst(min(label.count, labelWidth - 1)) : indent
            var isEmpty = true
            for word in item.split(separator: " ") {
                if !isEmpty, line.count + 1 + word.count > width {
                    lines.append(line)
                    line = indent + (indent.count > labelWidth ? "  " : "")
                    isEmpty = true
                }
                line += (isEmpty ? "" : " ") + word
                isEmpty = false
            }
            while line.last == " " { line.removeLast() }
            lines.append(line)
        }
    }
}
