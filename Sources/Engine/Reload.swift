internal import Foundation
internal import Logging
internal import NIOPosix
internal import RegionForwarding
internal import ServiceLifecycle
internal import SystemPackage
internal import UnixSignals

/// Takes over, while the node runs, what may change: the certificate with which it meets its peers, and its regions.
///
/// It looks at the files at an interval and at SIGHUP. What cannot be used is not taken over: the node goes on as it was, and an error in
/// the log says why.
struct Reload: Service, CustomStringConvertible {
    let configuration: EngineConfiguration
    let identity: NodeIdentity?
    let regions: RegionDirectory?
    let logger: Logger

    var description: String { "reload" }

    /// The keys that count without a restart.
    private var keys: Set<String> { regions == nil ? [] : ["peers.regions"] }

    private enum Occasion { case interval, signal }

    func run() async throws {
        let (occasions, occasion) = AsyncStream<Occasion>.makeStream(bufferingPolicy: .bufferingNewest(2))
        let signals = await UnixSignalsSequence(trapping: .sighup)
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                group.addTask {
                    for await _ in signals { occasion.yield(.signal) }
                }
                if let interval = configuration.reloadInterval {
                    group.addTask {
                        while (try? await Task.sleep(for: interval)) != nil { occasion.yield(.interval) }
                    }
                }
                await act(on: occasions)
                group.cancelAll()
            }
        }
    }

    private func act(on occasions: AsyncStream<Occasion>) async {
        let certificates = configuration.peers.map { [$0.certificate.certificate, $0.certificate.key, $0.authority] } ?? []
        var certificateFiles = ChangedFiles(ChangedFiles.stamps(certificates))
        var configurationFile = ChangedFiles(ChangedFiles.stamps(configuration.file.map { [$0] } ?? []))
        // They may have changed between being read and now.
        await takeCertificate()
        await takeRegions()
        for await occasion in occasions {
            if certificateFiles.look(ChangedFiles.stamps(certificates)) || occasion == .signal { await takeCertificate() }
            let present = ChangedFiles.stamps(configuration.file.map { [$0] } ?? [])
            if configurationFile.look(present) || occasion == .signal { await takeRegions() }
        }
    }

    private func takeCertificate() async {
        guard let identity else { return }
        do {
            guard try await NIOThreadPool.singleton.runIfActive({ try identity.reload() }) else { return }
            let certificate = identity.certificate
            logger.notice(
                "A new certificate is used for new connections to peers.",
                metadata: ["serial": "\(certificate.serial)", "until": "\(certificate.validUntil)"])
        } catch {
            logger.error("The new certificate cannot be used; the old one stays in use.", metadata: ["error": "\(error)"])
        }
    }

    private func takeRegions() async {
        guard let file = configuration.file else { return }
        do {
            let new = try await EngineConfiguration(file: file)
            let changed = Set(new.texts.keys).union(configuration.texts.keys).filter { new.texts[$0] != configuration.texts[$0] }
            let late = changed.subtracting(keys).sorted()
            if !late.isEmpty {
                logger.warning("The configuration has changed in what counts after a restart only.", metadata: ["keys": "\(late)"])
            }
            guard let regions else { return }
            let change = try regions.update((new.peers?.regions ?? []).map { RegionPeer(name: $0.name, url: $0.url) })
            guard !change.isEmpty else { return }
            logger.notice(
                "The regions have changed.",
                metadata: ["added": "\(change.added)", "removed": "\(change.removed)", "moved": "\(change.moved)"])
        } catch {
            logger.error("The new configuration cannot be used; the node goes on as it was.", metadata: ["error": "\(error)"])
        }
    }
}
