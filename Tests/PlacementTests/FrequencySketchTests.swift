import Placement
import Testing

@Suite struct FrequencySketchTests {
    @Test func `an estimate is never below the truth before anything fades and seldom far above it`() {
        var sketch = FrequencySketch(keys: 16_384, ageing: .max / 16, seed: 7)
        var truth: [Int: Int] = [:]
        var state: UInt64 = 1
        for _ in 0..<60_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // About Zipf: key k with a chance of about 1/k.
            let key = Int(16_384 / (1 + (state >> 33) % 16_384))
            truth[key, default: 0] += 1
            sketch.see(key)
        }
        var over = 0
        for (key, count) in truth {
            let estimate = sketch.estimate(key)
            #expect(estimate >= min(count, FrequencySketch.countMax))
            if estimate > count + 2 { over += 1 }
        }
        #expect(Double(over) < 0.02 * Double(truth.count))
    }

    @Test func `a million functions fit into 64 MiB and those seen once do not look frequent`() {
        var sketch = FrequencySketch(keys: 1 << 20, seed: 3)
        #expect(sketch.byteCount <= 64 << 20)
        for key in 0..<1_000_000 { sketch.see(key) }
        var high = 0
        for key in stride(from: 0, to: 1_000_000, by: 100) where sketch.estimate(key) > 3 { high += 1 }
        #expect(high < 100)
    }

    @Test func `a key that is seen no more fades and one that is seen on does not`() {
        var sketch = FrequencySketch(keys: 1024, ageing: 8192, seed: 5)
        for _ in 0..<64 { sketch.see("old") }
        // One of its counters may have been halved meanwhile.
        #expect(sketch.estimate("old") >= 30)
        for round in 0..<40_000 {
            sketch.see(round)
            if round % 100 == 0 { sketch.see("alive") }
        }
        #expect(sketch.estimate("old") < 8)
        // Seen 82 times between two halvings, it stays above what is left of that after one.
        #expect(sketch.estimate("alive") >= 30)
    }

    @Test func `counts stop at their limit`() {
        var sketch = FrequencySketch(keys: 1024, ageing: .max / 16, seed: 5)
        for _ in 0..<1000 { sketch.see("hot") }
        #expect(sketch.estimate("hot") == FrequencySketch.countMax)
    }

    @Test func `keys collide differently under another seed`() {
        func collisions(_ seed: UInt64) -> Set<Int> {
            var sketch = FrequencySketch(keys: 1024, ageing: .max / 16, seed: seed)
            for key in 0..<2000 { for _ in 0..<3 { sketch.see(key) } }
            return Set((0..<2000).filter { sketch.estimate($0) > 3 })
        }
        #expect(collisions(1) != collisions(2))
    }
}
