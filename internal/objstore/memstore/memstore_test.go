package memstore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/objstore/storetest"
	"chatexport/internal/verify"
)

var _ verify.Store = (*memstore.Store)(nil)

func TestStore_KeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Store { return memstore.New(memstore.Options{}) })
}

func TestView_KeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Store { return memstore.New(memstore.Options{}).View("caller", nil) })
}

func write(body string) objstore.Write { return objstore.Write{Body: []byte(body)} }

// once gives every call the same fault.
func once(f memstore.Fault) memstore.Hook {
	return func(context.Context, memstore.Call) (memstore.Fault, error) { return f, nil }
}

func content(t *testing.T, s *memstore.Store, key string) string {
	t.Helper()
	body, _, err := s.Get(t.Context(), key)
	if errors.Is(err, objstore.ErrNotExist) {
		return "nothing"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestFault_DecidesWhatIsStoredAndWhatIsTold(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure of the test")
	for _, tc := range []struct {
		name        string
		fault       memstore.Fault
		before      string // in the store; empty: nothing
		create      error
		created     string
		overwrite   error
		overwritten string
	}{
		{"nothing", memstore.Fault{}, "", nil, "new", nil, "new"},
		{"nothing, taken", memstore.Fault{}, "old", objstore.ErrExist, "old", nil, "new"},
		{"lost before its effect", memstore.Fault{Lost: true}, "", objstore.ErrUnknown, "nothing", objstore.ErrUnknown, "nothing"},
		{"answer lost", memstore.Fault{Err: failure}, "", failure, "new", failure, "new"},
		{"answer lost, taken", memstore.Fault{Err: failure}, "old", failure, "old", failure, "new"},
		{"retried by the store", memstore.Fault{Retried: true}, "", objstore.ErrExist, "new", nil, "new"},
	} {
		for op, want := range map[string]struct {
			err  error
			body string
		}{"create": {tc.create, tc.created}, "overwrite": {tc.overwrite, tc.overwritten}} {
			s := memstore.New(memstore.Options{})
			if tc.before != "" {
				if _, err := s.Create(t.Context(), "k", write(tc.before)); err != nil {
					t.Fatal(err)
				}
			}
			view := s.View("caller", once(tc.fault))
			do := view.Create
			if op == "overwrite" {
				do = view.Overwrite
			}
			_, err := do(t.Context(), "k", write("new"))
			if !errors.Is(err, want.err) || (err == nil) != (want.err == nil) {
				t.Errorf("%s, %s: the caller is told %v, want %v", tc.name, op, err, want.err)
			}
			if got := content(t, s, "k"); got != want.body {
				t.Errorf("%s, %s: %s is stored, want %s", tc.name, op, got, want.body)
			}
		}
	}
}

func TestFault_LateWriteArrivesWhenTheTestSays(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Options{})
	var arrive func() bool
	view := s.View("caller", once(memstore.Fault{Later: func(f func() bool) { arrive = f }}))
	w := write("late")
	if _, err := view.Create(t.Context(), "k", w); !errors.Is(err, objstore.ErrUnknown) {
		t.Errorf("the caller is told %v, want ErrUnknown", err)
	}
	clear(w.Body)
	if got := content(t, s, "k"); got != "nothing" {
		t.Errorf("%s is stored before the write arrives", got)
	}
	if !arrive() || content(t, s, "k") != "late" {
		t.Errorf("%s is stored after the write arrived", content(t, s, "k"))
	}
	if arrive() {
		t.Error("a create-only write arrived twice")
	}
}

func TestFault_StaleReadSeesThePreviousVersionForAWhile(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 8, 30, 0, 999, time.UTC)
	s := memstore.New(memstore.Options{Now: func() time.Time { return now }, Lag: time.Second})
	view := s.View("caller", once(memstore.Fault{Stale: true}))
	sees := func() string {
		body, _, err := view.Get(t.Context(), "k")
		_, headErr := view.Head(t.Context(), "k")
		if (err == nil) != (headErr == nil) {
			t.Errorf("get: %v, head: %v", err, headErr)
		}
		if errors.Is(err, objstore.ErrNotExist) {
			return "nothing"
		}
		return string(body)
	}
	var seen []string
	for _, body := range []string{"one", "two"} {
		if _, err := s.Overwrite(t.Context(), "k", write(body)); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, sees())
		now = now.Add(999 * time.Millisecond)
		seen = append(seen, sees())
		now = now.Add(time.Millisecond)
		seen = append(seen, sees())
	}
	if want := []string{"nothing", "nothing", "one", "one", "one", "two"}; !slices.Equal(seen, want) {
		t.Errorf("readers saw %v, want %v", seen, want)
	}
	object, err := s.Head(t.Context(), "k")
	if err != nil || object.LastModified.Nanosecond() != 0 || object.Date.Nanosecond() != 0 {
		t.Errorf("times are not whole seconds: %v, %v, %v", object.LastModified, object.Date, err)
	}
}

func TestImmutable_KeysAreWatched(t *testing.T) {
	t.Parallel()
	var violations, stored []string
	s := memstore.New(memstore.Options{
		Immutable: func(key string) bool { return strings.HasPrefix(key, "data/") },
		Violation: func(key, what string) { violations = append(violations, key+" "+what) },
		Stored:    func(w memstore.Stored) { stored = append(stored, w.Caller+" "+w.Key+" "+string(w.Write.Body)) },
	})
	view := s.View("a", nil)
	for _, body := range []string{"one", "one", "two"} {
		for _, key := range []string{"data/k", "state/k"} {
			if _, err := view.Overwrite(t.Context(), key, write(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Lose("state/k")
	s.Lose("data/none")
	s.Lose("data/k")
	if want := []string{"data/k overwritten", "data/k lost"}; !slices.Equal(violations, want) {
		t.Errorf("violations %q, want %q", violations, want)
	}
	if len(stored) != 6 || stored[0] != "a data/k one" {
		t.Errorf("writes that took effect: %q", stored)
	}
}

func TestHook_RefusesBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s := memstore.New(memstore.Options{})
	view := s.View("caller", func(ctx context.Context, c memstore.Call) (memstore.Fault, error) {
		return memstore.Fault{}, context.Canceled
	})
	_, err := view.Create(t.Context(), "k", write("x"))
	if !errors.Is(err, context.Canceled) || errors.Is(err, objstore.ErrUnknown) || content(t, s, "k") != "nothing" {
		t.Errorf("create: %v, stored %s", err, content(t, s, "k"))
	}
}
