// Package schedule_test runs the whole protocol of package export in random schedules: several deliveries at once, the
// production engine and Chat client on the emulated service, an object store in memory and a queue, one external call at a
// time in virtual time. It proves what holds whatever happens and in whatever order; a rule that can be shown by one
// scene of its own belongs beside the engine. A failure prints its schedule, shortened, and the seed that repeats it:
//
//	go test ./internal/export/schedule -run 'TestNothingIsLostOrDoubled/everything' -rapid.checks=10000
//	go test ./internal/export/schedule -run 'TestNothingIsLostOrDoubled/everything' -rapid.seed=...
package schedule_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	for name, w := range climates() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raceDetector && name != "everything" {
				t.Skip("takes too long with the race detector")
			}
			var total simStats
			dir := t.TempDir()
			rapid.Check(t, func(t *rapid.T) {
				s := drawSetting(t, w)
				rapid.SyncTest(t, func(t *rapid.T) {
					m := newSim(t, s, dir)
					m.run()
					total.add(m.stats)
				})
			})
			t.Logf("%+v", total)
			total.demand(t, name)
		})
	}
}

// What a seed did, it does again: without that, it could not be told what went wrong.
func TestAScheduleRunsTheSameWayTwice(t *testing.T) {
	t.Parallel()
	draw := rapid.Custom(func(t *rapid.T) setting { return drawSetting(t, climates()["everything"]) })
	seeds, dir := 20, t.TempDir()
	if raceDetector {
		seeds = 4
	}
	for seed := range seeds {
		var traces [2][]string
		for i := range traces {
			synctest.Test(t, func(t *testing.T) {
				m := newSim(t, draw.Example(seed), dir)
				m.run()
				traces[i] = slices.Clone(m.trace)
			})
		}
		if diff := cmp.Diff(traces[0], traces[1]); diff != "" {
			t.Errorf("schedule %d (-once +again):\n%s", seed, diff)
		}
	}
}
