package media_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/media/mix"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

var group = chat.Stream{GroupID: "@TGS#files"}

// receipts reads the trail of the group, receipt by receipt from its first on, and proves their chain.
func receipts(t *testing.T, w *world.World) []archive.MediaLine {
	t.Helper()
	var lines []archive.MediaLine
	for _, m := range manifests(t, w) {
		for _, c := range m.Chunks {
			var counted int64
			for lo := c.Lo; c.Links > 0 && lo <= c.Hi; {
				body, _, err := w.Store.Get(t.Context(), layout.Media(group, lo))
				if errors.Is(err, objstore.ErrNotExist) {
					return lines
				}
				if err != nil {
					t.Fatal(err)
				}
				r, err := archive.ReadMediaReceipt(bytes.NewReader(body), func(l archive.MediaLine) error { lines = append(lines, l); return nil })
				if err != nil || r.Lo != lo {
					t.Fatalf("receipt %d: %+v, %v", lo, r, err)
				}
				counted += r.Sum()
				lo = r.Hi + 1
			}
			if counted != c.Links {
				t.Errorf("chunk %d has %d links, its receipts count %d", c.Lo, c.Links, counted)
			}
		}
	}
	return lines
}

func manifests(t *testing.T, w *world.World) (all []archive.Manifest) {
	t.Helper()
	for lo := chat.Seq(1); ; {
		body, _, err := w.Store.Get(t.Context(), layout.Manifest(group, lo))
		if errors.Is(err, objstore.ErrNotExist) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := archive.ParseManifest(body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
		lo = m.Hi + 1
	}
}

// check compares the trail with what must become of each link.
func check(t *testing.T, w *world.World, want []mix.Link, got []archive.MediaLine) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d links have receipts, there are %d", len(got), len(want))
	}
	for i, l := range got {
		truth := want[i]
		if l.Seq != truth.Seq || l.N != truth.N || l.Path != truth.Path || l.Kind != truth.Kind || l.URL != truth.URL || l.Name != truth.Name {
			t.Fatalf("link %d is %+v, want %+v", i, l.Link, truth)
		}
		if !truth.May(l.State) {
			t.Errorf("link %d of seq %d (%s) is %s (%s), want one of %v", l.N, l.Seq, truth.Fortune, l.State, l.Code, truth.States)
		}
		if (l.Code == "") != (l.State == archive.MediaStored || l.State == archive.MediaExternal) {
			t.Errorf("%s has code %q", l.State, l.Code)
		}
		if l.State != archive.MediaStored {
			continue
		}
		if l.SHA256 != truth.SHA256 || l.Bytes != truth.Bytes || l.Short != truth.Short {
			t.Errorf("link %d of seq %d (%s): %+v, want %+v", l.N, l.Seq, truth.Fortune, l, truth)
		}
		if o, err := w.Store.Head(context.WithoutCancel(t.Context()), layout.Blob(l.SHA256)); err != nil || o.Size != l.Bytes {
			t.Errorf("blob of link %d of seq %d: %+v, %v", l.N, l.Seq, o, err)
		}
	}
	if c := w.Media.Counters(); c.OffList > 0 || c.Unknown > 0 {
		t.Errorf("%d requests off the list, %d for what is no link", c.OffList, c.Unknown)
	}
}

func TestTrail_EveryLinkEndsInOneState(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Env: map[string]string{"EXPORT_MEDIA": "on", "MEDIA_MAX_BYTES": "100000"}})
	if err := w.Chat.AddGroup(chatemu.Group{ID: group.GroupID}); err != nil {
		t.Fatal(err)
	}
	// Old enough for nothing to be waited for.
	links, err := mix.Fill(w.Chat, w.Media, group, mix.Options{
		Seed: 7, Messages: 200, MaxBytes: 100000, Time: time.Now().Add(-5 * 24 * time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Tick(group)
	check(t, w, links, receipts(t, w))
	w.Verify(group)
}
