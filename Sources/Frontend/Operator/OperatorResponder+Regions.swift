import EngineCore
import HTTPTypes
import RegionForwarding

/// What the operator asks about the regions this node forwards to.
extension OperatorResponder {
    /// No region is an answer too: a node that stands alone has none.
    func regions() -> RegionsAnswer { RegionsAnswer(services.regions, now: .now()) }

    func region(_ part: Substring, _ target: RequestTarget) throws(OperatorFailure) -> RegionDetailAnswer {
        let (name, now) = (String(part), EngineInstant.now())
        let limit = try limit(target, default: 100)
        guard let directory = services.regions, let state = directory.states(now: now).first(where: { $0.peer.name == name }),
            let versions = directory.versions(of: name, limit: limit, now: now)
        else {
            let known = services.regions?.names ?? []
            let hint = known.isEmpty ? "peers.regions names none" : "There are \(known.joined(separator: ", "))"
            throw OperatorFailure(.notFound, "unknown_region", "This node has no region '\(name.prefix(63))'. \(hint).")
        }
        return RegionDetailAnswer(region: RegionAnswer(state), versions: versions.map { RegionVersionAnswer($0) })
    }
}
