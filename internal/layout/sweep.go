package layout

import "fmt"

// Keys below SweepPrefix. All but that of SweepLatest are write-once, and each can be told from what is
// known before: nothing is ever listed. id is the sweep's, and has no character that needs escaping.

// SweepLatest returns the key of the pointer to the sweep under way and the last that was planned.
func SweepLatest() string { return SweepPrefix + "latest.json" }

// SweepInfo returns the key of the n-th (from 0) part of what a sweep saw.
func SweepInfo(id string, n int) string { return sweepPiece(id, "info", n) }

// SweepKnown returns the key of the n-th piece of what was known of all streams when the plan was made.
func SweepKnown(id string, n int) string { return sweepPiece(id, "known", n) }

// SweepPlan returns the key of the object that says that the whole plan is written.
func SweepPlan(id string) string { return SweepPrefix + id + "/plan.json" }

// SweepPlanPiece returns the key of the n-th piece of the plan.
func SweepPlanPiece(id string, n int) string { return sweepPiece(id, "plan", n) }

// SweepResult returns the key of what became of streams in the n-th batch of the lane.
func SweepResult(id string, n int) string { return sweepPiece(id, "result", n) }

// SweepReport returns the key of a sweep's report.
func SweepReport(id string) string { return SweepPrefix + id + "/report.json" }

// Probe returns the key of the object by which an operator tries whether a bucket refuses a taken key.
func Probe() string { return ProbePrefix + "create-only.json" }

func sweepPiece(id, name string, n int) string {
	return fmt.Sprintf("%s%s/%s-%05d.ndjson.gz", SweepPrefix, id, name, n)
}
