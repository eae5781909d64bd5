let targets = [FuzzTarget(name: "egress_requests", run: fuzzEgressRequests)]
