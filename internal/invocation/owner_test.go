package invocation_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/invocation"
)

// A process dies in the middle of a batch and leaves its lease behind. Its event, delivered again, is not stopped by
// that, whatever the platform calls the new request; another event is.
func TestOwner_RedeliveryIsNotStoppedByTheLeaseOfItsDeadPredecessor(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	s := w.Group("@TGS#1", 205)
	tick, other := w.Timer(s), w.Timer(s)
	invoke := func(ctx context.Context, request string, event []byte) (string, error) {
		out, err := w.Instance().Invoke(ctx, invocation.Platform{RequestID: request, Function: world.Function, TimeLimit: 30 * time.Second}, event)
		if err != nil {
			return "", err
		}
		var answer struct{ Streams []struct{ Outcome string } }
		if err := json.Unmarshal(out, &answer); err != nil || len(answer.Streams) != 1 {
			t.Fatalf("answer %s: %v", out, err)
		}
		return answer.Streams[0].Outcome, nil
	}
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	w.Chat.SetOnCall(func(c chatemu.Call) {
		if c.Query.Seq > chat.PageSize {
			kill()
		}
	})
	if outcome, err := invoke(ctx, "first", tick); err == nil {
		t.Fatalf("the batch that was killed ends with %s", outcome)
	}
	w.Chat.SetOnCall(nil)
	if outcome, err := invoke(t.Context(), "second", other); err != nil || outcome != "already_running" {
		t.Errorf("another event beside the lease: %s, %v, want already_running", outcome, err)
	}
	if outcome, err := invoke(t.Context(), "third", tick); err != nil || outcome != "complete" {
		t.Errorf("the event delivered again: %s, %v, want complete", outcome, err)
	}
	w.Verify(s)
}
