public import EngineCore
public import Placement

// Names become numbers, and are forgotten.
//
// A function is remembered beyond its last container, for why that went and for what the retention policy has learnt. When more than
// `functionsRemembered` are, the one that has had nothing here for longest is forgotten with its classes, name and account. A class that
// has nothing here, and is not the one that its function was asked for last, is forgotten at once: revisions come and go.
extension PoolStateMachine {
    /// The number of a class, and of its function, account and runtime; made if it is new. O(1) amortised.
    mutating func intern(_ kind: ContainerClass) -> Int {
        if let known = classIndex[kind] { return known }
        let runtime = intern(runtime: kind.runtime)
        let function = intern(AffinityScope(function: kind.function, version: kind.version), memory: kind.memory)
        var entry = ClassEntry(
            kind: kind, function: function, name: functions[function].name, account: functions[function].account, runtime: runtime)
        entry.isRetired = retired.contains(kind.revision)
        let index = freeClasses.popLast() ?? classes.count
        if index == classes.count { classes.append(entry) } else { classes[index] = entry }
        classIndex[kind] = index
        functions[function].classes.append(index)
        makeCurrent(index)
        touch(function)
        forgetFunctions()
        return index
    }

    mutating func intern(runtime: String) -> Int {
        if let known = runtimeIndex[runtime] { return known }
        runtimeIndex[runtime] = runtimes.count
        startTimes.append(StartTimes())
        runtimes.append(runtime)
        generalPools.append([])
        return runtimes.count - 1
    }

    /// A call asks for this class: others of its function that have nothing here are forgotten.
    mutating func makeCurrent(_ kind: Int) {
        let function = classes[kind].function
        guard functions[function].current != kind else { return }
        functions[function].current = kind
        // Another revision may well start.
        functions[function].aheadFailures = 0
        functions[function].aheadRetryAt = nil
        for other in functions[function].classes { forgetIfUnused(classIndex: other) }
    }

    private mutating func intern(_ scope: AffinityScope, memory: ByteCount) -> Int {
        if let known = functionIndices[scope] { return known }
        let account = intern(scope.function.account)
        let name = intern(scope.function, account)
        let entry = FunctionEntry(scope: scope, name: name, account: account)
        let index = freeFunctions.popLast() ?? functions.count
        if index == functions.count { functions.append(entry) } else { functions[index] = entry }
        functionIndices[scope] = index
        names[name].functions.append(index)
        retention.functionAdded(index, costs: costs(of: index, memory: memory))
        noteVacancy(index)
        return index
    }

    private mutating func intern(_ key: FunctionKey, _ account: Int) -> Int {
        if let known = nameIndex[key] { return known }
        let index = freeNames.popLast() ?? names.count
        if index == names.count { names.append(NameEntry(key: key)) } else { names[index] = NameEntry(key: key) }
        nameIndex[key] = index
        accounts[account].names += 1
        return index
    }

    private mutating func intern(_ id: AccountID) -> Int {
        if let known = accountIndex[id] { return known }
        let index = freeAccounts.popLast() ?? accounts.count
        if index == accounts.count { accounts.append(AccountEntry(id: id)) } else { accounts[index] = AccountEntry(id: id) }
        accountIndex[id] = index
        return index
    }

    func costs(of function: Int, memory: ByteCount) -> RetentionCosts {
        RetentionCosts(
            memory: Self.mebibytes(memory.bytes), coldStart: functions[function].coldStart, roundTrip: functions[function].roundTrip,
            weight: functions[function].weight)
    }

    /// What the request says of its function's costs is passed on to the retention policy if it differs.
    mutating func noteCosts(_ function: Int, _ kind: ContainerClass, coldStart: Double?, roundTrip: Double?, weight: Double? = nil) {
        guard coldStart.map({ $0 != functions[function].coldStart }) == true
            || roundTrip.map({ $0 != functions[function].roundTrip }) == true || weight.map({ $0 != functions[function].weight }) == true
        else { return }
        if let coldStart { functions[function].coldStart = coldStart }
        if let roundTrip { functions[function].roundTrip = roundTrip }
        if let weight { functions[function].weight = weight }
        retention.costsChanged(function, to: costs(of: function, memory: kind.memory))
    }

    // MARK: Forgetting

    /// Puts the function at the end of those that could be forgotten, or takes it out, as it is.
    mutating func noteVacancy(_ function: Int) {
        let isVacant = functions[function].isVacant
        guard isVacant != functions[function].isListedVacant else { return }
        functions[function].isListedVacant = isVacant
        if isVacant { vacantLinks.append(function, to: &vacant) } else { vacantLinks.remove(function, from: &vacant) }
    }

    /// It was asked for and got nothing: the others have been unused for longer.
    mutating func touch(_ function: Int) {
        guard functions[function].isListedVacant else { return }
        vacantLinks.remove(function, from: &vacant)
        vacantLinks.append(function, to: &vacant)
    }

    mutating func forgetFunctions() {
        // The one that has just been asked for is the last of the vacant, and stays.
        while functionIndices.count > max(configuration.functionsRemembered, 1), !vacant.isEmpty, vacant.first != vacant.last {
            forget(function: vacant.first)
        }
    }

    private mutating func forget(function: Int) {
        let entry = functions[function]
        vacantLinks.remove(function, from: &vacant)
        retention.functionForgotten(function)
        functions[function].current = -1
        for kind in entry.classes { forgetIfUnused(classIndex: kind) }
        functions[function].isListedVacant = false
        functionIndices[entry.scope] = nil
        freeFunctions.append(function)
        names[entry.name].functions.removeAll { $0 == function }
        guard names[entry.name].functions.isEmpty else { return }
        nameIndex[names[entry.name].key] = nil
        freeNames.append(entry.name)
        accounts[entry.account].names -= 1
        forgetIfUnused(account: entry.account)
    }

    mutating func forgetIfUnused(account: Int) {
        guard accounts[account].names == 0, accounts[account].instances == 0 else { return }
        accountIndex[accounts[account].id] = nil
        freeAccounts.append(account)
    }

    mutating func forgetIfUnused(classIndex kind: Int) {
        let entry = classes[kind]
        guard !entry.isVacant, entry.containers == 0, entry.waiters == 0, functions[entry.function].current != kind,
            functions[entry.function].dedicated < 0 || pools[functions[entry.function].dedicated].kind != kind
        else { return }
        classes[kind].isVacant = true
        classIndex[entry.kind] = nil
        functions[entry.function].classes.removeAll { $0 == kind }
        freeClasses.append(kind)
    }

    // MARK: For those who replay

    /// The number of a class's function, if it is known.
    public func functionIndex(_ kind: ContainerClass) -> FunctionIndex? { classIndex[kind].map { classes[$0].function } }

    /// The number of a class's function, made if it is new.
    public mutating func intern(_ kind: ContainerClass, costs: RetentionCosts?, now: EngineInstant) -> FunctionIndex {
        let function = classes[intern(kind)].function
        if let costs { noteCosts(function, kind, coldStart: costs.coldStart, roundTrip: costs.roundTrip) }
        return function
    }

    /// A call of the function runs elsewhere.
    public mutating func forwardedBegan(_ function: FunctionIndex, now: EngineInstant) { callBegan(function) }

    /// It is over.
    public mutating func forwardedEnded(_ function: FunctionIndex, ran: Duration?, now: EngineInstant) {
        callEnded(function, ran: ran, elsewhere: true, now: now)
    }

    /// No region has taken it, and it is to have a place here. It stays one call: its next beginning and its end are those that count.
    public mutating func forwardedWithdrawn(_ function: FunctionIndex) {
        functions[function].calls -= 1
        retention.callWithdrawn(function)
        noteVacancy(function)
    }

    mutating func callBegan(_ function: Int) {
        functions[function].calls += 1
        if functions[function].isListedVacant { noteVacancy(function) }
        retention.callBegan(function)
    }

    mutating func callEnded(_ function: Int, ran: Duration?, elsewhere: Bool = false, now: EngineInstant) {
        functions[function].calls -= 1
        retention.callEnded(function, ran: ran?.inSeconds, elsewhere: elsewhere, now: Self.seconds(now))
        noteVacancy(function)
    }
}
