import Engine
import WaysideCommands

@main
struct Wayside {
    static func main() async {
        WaysideProcess.runTasksOnEventLoops()
        await WaysideCommand.execute()
    }
}
