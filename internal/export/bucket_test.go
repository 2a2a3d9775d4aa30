package export_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// refusals are answers that say nothing about whether an object exists.
func refusals() []cosemu.Fault {
	return []cosemu.Fault{
		{Status: 404, Code: "NoSuchBucket"},
		{Status: 403, Code: "AccessDenied"},
		{Status: 403, Code: "InvalidAccessKeyId"},
		{Status: 400, Code: "InvalidArgument"},
		{Status: 405, Code: "MethodNotAllowed"},
		{Status: 451, Code: "UnavailableForLegalReasons"},
		{Status: 404, Code: "SomethingNew"},
	}
}

// at gives every request of a kind for one key a fault.
func at(op cosemu.Op, key string, f cosemu.Fault) cosemu.FaultFunc {
	return func(r *cosemu.Request) *cosemu.Fault {
		if r.Op == op && r.Key == key {
			return &f
		}
		return nil
	}
}

func TestARefusedReadIsNeverAFreshStart(t *testing.T) {
	t.Parallel()
	for _, refusal := range refusals() {
		t.Run(fmt.Sprint(refusal.Status, " ", refusal.Code), func(t *testing.T) {
			t.Parallel()
			w, s := archived(t)
			fresh := addGroup(t, w, "fresh", 1, 50, plain)
			before := snapshot(t, w)
			for _, read := range []struct {
				op     cosemu.Op
				key    string
				stream chat.Stream
			}{
				{cosemu.OpGet, layout.State(fresh), fresh},
				{cosemu.OpGet, layout.Genesis(fresh), fresh},
				{cosemu.OpGet, layout.Manifest(fresh, 1), fresh},
				{cosemu.OpGet, layout.State(s), s},
				{cosemu.OpGet, layout.Genesis(s), s},
				{cosemu.OpHead, layout.Chunk(s, 201), s},
			} {
				if read.op == cosemu.OpHead && refusal.Status == 404 {
					continue // a HEAD has no code: 404 is 404
				}
				was := state(t, w, read.stream)
				w.COS.SetFault(at(read.op, read.key, refusal))
				_, err := invoke(t, w, w.Instance(), read.stream)
				w.COS.SetFault(nil)
				is := state(t, w, read.stream)
				if read.key == layout.State(read.stream) && is.UpdatedAt != was.UpdatedAt || is.Frontier != was.Frontier || is.After != was.After {
					t.Errorf("%s %s: the state was %+v and is %+v", read.op, read.key, was, is)
				}
				if failure, ok := errors.AsType[*objstore.Error](err); !ok || failure.Key != read.key {
					t.Errorf("%s %s: the invocation ended with %v, want the refusal", read.op, read.key, err)
				}
				unchanged(t, w, before)
			}
			w.Tick(s)
			w.Tick(fresh)
			proved(t, w, s)
			proved(t, w, fresh)
		})
	}
}

// A refused write ends the batch; what was written before it counts, and a later tick finishes.
func TestARefusedWriteIsAnError(t *testing.T) {
	t.Parallel()
	for _, refusal := range refusals() {
		t.Run(fmt.Sprint(refusal.Status, " ", refusal.Code), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, chatemu.Quirks{}, "EXPORT_SPAN=100")
			s := addGroup(t, w, "g", 1, 250, plain)
			for _, key := range []string{layout.State(s), layout.Genesis(s), layout.Chunk(s, 1), layout.Manifest(s, 1)} {
				w.COS.SetFault(at(cosemu.OpPut, key, refusal))
				_, err := invoke(t, w, w.Instance(), s)
				w.COS.SetFault(nil)
				if failure, ok := errors.AsType[*objstore.Error](err); !ok || failure.Key != key {
					t.Errorf("%s: the invocation ended with %v, want the refusal", key, err)
				}
				if _, _, err := w.Store.Get(t.Context(), key); key != layout.State(s) && !errors.Is(err, objstore.ErrNotExist) {
					t.Errorf("%s was written: %v", key, err)
				}
				if got := state(t, w, s); got.Status == archive.StatusComplete {
					t.Errorf("%s: state %+v", key, got)
				}
			}
			w.Tick(s)
			proved(t, w, s)
		})
	}
}

func TestABucketThatIsNotThereOrNotOpenIsNotStartedOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		variable, value string
		want            error
	}{
		"no such bucket":   {"COS_BUCKET", "another-1250000000", objstore.ErrNoBucket},
		"wrong secret key": {"TENCENTCLOUD_SECRETKEY", "wrong", objstore.ErrDenied},
		"wrong token":      {"TENCENTCLOUD_SESSIONTOKEN", "wrong", objstore.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, chatemu.Quirks{})
			s := addGroup(t, w, "g", 1, 50, plain)
			was := w.Env[tc.variable]
			w.Env[tc.variable] = tc.value
			h := w.Instance()
			for range 2 {
				if _, err := invoke(t, w, h, s); !errors.Is(err, tc.want) {
					t.Errorf("the invocation ended with %v, want %v", err, tc.want)
				}
			}
			if n := w.COS.Counts()[cosemu.OpPut]; n > 0 {
				t.Errorf("%d writes were tried", n)
			}
			if n := w.Chat.Counters().Calls; n > 0 {
				t.Errorf("%d calls of the Chat API were made", n)
			}
			w.Env[tc.variable] = was
			w.Tick(s)
			proved(t, w, s)
		})
	}
}

func TestABucketWithVersioningIsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []cosemu.Versioning{cosemu.VersioningEnabled, cosemu.VersioningSuspended} {
		w := newWorld(t, chatemu.Quirks{})
		s := addGroup(t, w, "g", 1, 50, plain)
		must(t, w.COS.SetVersioning(world.Bucket, status))
		for range 2 {
			if _, err := invoke(t, w, w.Instance(), s); !errors.Is(err, objstore.ErrVersioned) || !strings.Contains(err.Error(), "never enabled") {
				t.Errorf("%s: the invocation ended with %v", status, err)
			}
		}
		if counts := w.COS.Counts(); counts[cosemu.OpPut] > 0 {
			t.Errorf("%s: %v", status, counts)
		}
	}
}

// An instance that passed its preflight long ago learns from the first write that versioning has been enabled since.
func TestVersioningThatIsEnabledLaterStopsTheStream(t *testing.T) {
	t.Parallel()
	for _, status := range []cosemu.Versioning{cosemu.VersioningEnabled, cosemu.VersioningSuspended} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, chatemu.Quirks{}, "EXPORT_SPAN=100")
			s := addGroup(t, w, "g", 1, 1000, plain)
			var enabled time.Time
			w.Chat.SetOnCall(pageCalls(20, func() {
				must(t, w.COS.SetVersioning(world.Bucket, status))
				enabled = time.Now()
			}))
			h := w.Instance()
			out, err := invoke(t, w, h, s)
			if err != nil || out.Outcome != archive.StatusFailed {
				t.Errorf("the invocation ended with %+v, %v, want a standing failure", out, err)
			}
			if got := state(t, w, s); got.Error == nil || got.Error.Code != "versioned_bucket" || !strings.Contains(got.Error.Text, "versioning") {
				t.Errorf("state %+v", got)
			}
			later := 0
			for _, r := range w.COS.Log() {
				if r.Op == cosemu.OpPut && r.Key != layout.State(s) && r.Time.After(enabled) {
					later++
				}
			}
			if later > 1 {
				t.Errorf("%d objects were written although the first answer had a version id", later)
			}
			before := snapshot(t, w)
			if _, err := invoke(t, w, h, s); err == nil {
				t.Error("the next tick on the same instance succeeded")
			}
			if _, err := invoke(t, w, w.Instance(), s); !errors.Is(err, objstore.ErrVersioned) {
				t.Errorf("the next tick on a new instance ended with %v", err)
			}
			unchanged(t, w, before)
		})
	}
}
