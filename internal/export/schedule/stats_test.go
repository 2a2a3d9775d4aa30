package schedule_test

import "testing"

// simStats are what schedules came to, so that it can be seen that they come to everything.
type simStats struct {
	Schedules, Steps, Batches, Pages, Chunks          int
	Continued, Failed, Killed, LostRaces, Late, Stale int
	OwnChunks, Leftovers, Gone                        int
	Receipts, Parts, Taken, Stored, Lost, SameBytes   int
	Orphans                                           int
	Looks, Changed, Expired                           int
}

func (s *simStats) add(o simStats) {
	s.Schedules++
	s.Steps += o.Steps
	s.Batches += o.Batches
	s.Pages += o.Pages
	s.Chunks += o.Chunks
	s.Continued += o.Continued
	s.Failed += o.Failed
	s.Killed += o.Killed
	s.LostRaces += o.LostRaces
	s.Late += o.Late
	s.Stale += o.Stale
	s.OwnChunks += o.OwnChunks
	s.Leftovers += o.Leftovers
	s.Gone += o.Gone
	s.Receipts += o.Receipts
	s.Parts += o.Parts
	s.Taken += o.Taken
	s.Orphans += o.Orphans
	s.Stored += o.Stored
	s.Lost += o.Lost
	s.SameBytes += o.SameBytes
	s.Looks += o.Looks
	s.Changed += o.Changed
	s.Expired += o.Expired
}

// demand fails a run of many schedules in which something that they are made for hardly happened.
func (s *simStats) demand(t *testing.T, weather string) {
	t.Helper()
	least := map[string]int{"batches after another": s.Continued, "killed batches": s.Killed}
	switch weather {
	case "several chains":
		least["lost races"], least["chunks that stood in the way and were older"] = s.LostRaces, s.Leftovers
	case "files":
		least["files that came"], least["files that did not"], least["files that were stored already"] = s.Stored, s.Lost, s.SameBytes
		least["receipts of a group that is gone"] = s.Orphans
		least["receipts that end below a file that is waited for"], least["receipts that were stored already"] = s.Parts, s.Taken
	case "looks":
		least["looks"], least["differences"], least["messages that expired before their look"] = s.Looks, s.Changed, s.Expired
		least["receipts that were stored already"] = s.Taken
	case "failures":
		least["own chunks whose answer was lost"], least["late writes"], least["stale reads"] = s.OwnChunks, s.Late, s.Stale
	}
	for what, n := range least {
		if s.Schedules >= 100 && n < s.Schedules/50 {
			t.Errorf("%d schedules had %d %s only: they prove nothing of that", s.Schedules, n, what)
		}
	}
}
