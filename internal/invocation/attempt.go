package invocation

// maxAttempts is how often a task that fails is handed on before it is recorded as failed.
const maxAttempts = 3

// attempt is what an invocation tells the next one of a task that failed; the event carries its JSON, sealed, which nobody
// else reads. The zero value is the first attempt.
type attempt struct {
	N      int      `json:"n"`                // how often the task failed and was handed on
	Owner  string   `json:"owner,omitempty"`  // in leases, of the event that failed first: the task must not stop itself
	Failed []string `json:"failed,omitempty"` // the writers of the batches that failed: their writes may still arrive
}
