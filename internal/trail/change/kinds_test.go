package change_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// What became of one message, the fifth of ten, between the archive and the look.
func TestLook_NamesWhatHappened(t *testing.T) {
	t.Parallel()
	const seq = 5
	for name, c := range map[string]struct {
		quirks        chatemu.Quirks
		before, after func(*testing.T, *world.World)
		want          []string
	}{
		"nothing":   {},
		"an edit":   {after: func(t *testing.T, w *world.World) { must(t, w.Chat.Modify(group, seq, text("other"))) }, want: []string{"5 edited"}},
		"a recall":  {after: func(t *testing.T, w *world.World) { must(t, w.Chat.Recall(group, seq)) }, want: []string{"5 recalled"}},
		"a removal": {after: func(t *testing.T, w *world.World) { must(t, w.Chat.Delete(group, seq)) }, want: []string{"5 deleted"}},
		"a removal that leaves nothing": {
			quirks: chatemu.Quirks{Holes: chatemu.HoleIsOmitted},
			after:  func(t *testing.T, w *world.World) { must(t, w.Chat.Delete(group, seq)) }, want: []string{"5 missing"},
		},
		"a late arrival": {
			before: func(t *testing.T, w *world.World) { must(t, w.Chat.Withhold(group, 1000, seq)) },
			after:  func(t *testing.T, w *world.World) { must(t, w.Chat.Withhold(group, 0, seq)) }, want: []string{"5 found"},
		},
		"absent for good": {before: func(t *testing.T, w *world.World) { must(t, w.Chat.Withhold(group, 1000, seq)) }},
		"malformed, and mended": {
			before: func(t *testing.T, w *world.World) { must(t, w.Chat.Poison(group, chatemu.PoisonControl, seq)) },
			after:  func(t *testing.T, w *world.World) { must(t, w.Chat.Poison(group, "", seq)) }, want: []string{"5 found"},
		},
		"malformed still": {before: func(t *testing.T, w *world.World) { must(t, w.Chat.Poison(group, chatemu.PoisonControl, seq)) }},
		"malformed now":   {after: func(t *testing.T, w *world.World) { must(t, w.Chat.Poison(group, chatemu.PoisonControl, seq)) }, want: []string{"5 edited"}},
		"recalled before": {before: func(t *testing.T, w *world.World) { must(t, w.Chat.Recall(group, seq)) }},
		"deleted before":  {before: func(t *testing.T, w *world.World) { must(t, w.Chat.Delete(group, seq)) }},
		"recalled, then deleted": {
			before: func(t *testing.T, w *world.World) { must(t, w.Chat.Recall(group, seq)) },
			after:  func(t *testing.T, w *world.World) { must(t, w.Chat.Delete(group, seq)) }, want: []string{"5 deleted"},
		},
		"the first of all, deleted": {after: func(t *testing.T, w *world.World) { must(t, w.Chat.Delete(group, 1)) }, want: []string{"1 deleted"}},
		"members in another order":  {after: func(_ *testing.T, w *world.World) { w.Chat.SetQuirks(chatemu.Quirks{ShuffleKeys: true}) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world.World) {
				w.Chat.SetQuirks(c.quirks)
				say(t, w, 10)
				if c.before != nil {
					c.before(t, w)
				}
				w.Tick(group)
				if c.after != nil {
					c.after(t, w)
				}
				time.Sleep(look)
				w.Tick(group)
				all := receipts(t, w, 1)
				if diff := cmp.Diff(c.want, told(all)); diff != "" {
					t.Errorf("differences (-want +got):\n%s", diff)
				}
				if len(all) != 1 || all[0].Sum() != 10 || all[0].Counts[archive.ChangeSame] != int64(10-len(c.want)) {
					t.Errorf("receipts %+v", all)
				}
			})
		})
	}
}

// A message that came late enough to be archived as a placeholder is new.
func TestLook_APlaceholderThatIsAMessageNowIsEdited(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		say(t, w, 4)
		must(t, w.Chat.Append(group, chatemu.Message{From: "a", Time: time.Now().Unix(), Body: text("late"), HideFor: time.Hour}))
		say(t, w, 5)
		w.Tick(group)
		time.Sleep(look)
		w.Tick(group)
		all := receipts(t, w, 1)
		if diff := cmp.Diff([]string{"5 edited"}, told(all)); diff != "" {
			t.Fatalf("differences (-want +got):\n%s", diff)
		}
		body, _, err := w.Store.Get(t.Context(), layout.Chunk(group, 1))
		must(t, err)
		_, err = archive.ReadChunk(bytes.NewReader(body), group, 1, 10, func(e chat.Element) error {
			if e.Seq == 5 && archivetest.Hash(bytes.TrimSuffix(e.JSON, []byte("\n"))) != all[0].lines[0].Was {
				t.Errorf("it was %s, and is told to have been %s", e.JSON, all[0].lines[0].Was)
			}
			return nil
		})
		must(t, err)
		if line := string(all[0].lines[0].Now); !strings.Contains(line, "late") || !strings.Contains(line, group.GroupID) {
			t.Errorf("it is %s", line)
		}
	})
}

// The files of what is new are archived with it; those that are known are not fetched again.
func TestLook_FilesOfANewVersionAreKept(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		w.Env["EXPORT_MEDIA"] = "on"
		old := w.Media.Add(mediaemu.Spec{Content: mediaemu.Generated(1, 100)})
		fresh := w.Media.Add(mediaemu.Spec{Content: mediaemu.Generated(2, 200)})
		elem := func(f *mediaemu.File, query string) chatemu.Media {
			return chatemu.Media{URL: strings.TrimSuffix(f.URL(), "?imageMogr2/") + query, Size: f.Size()}
		}
		must(t, w.Chat.Append(group, chatemu.Message{From: "a", Time: time.Now().Unix(), Body: chatemu.MsgBody(chatemu.FileElem(elem(old, "?sig=1")))}))
		say(t, w, 5)
		w.Tick(group)
		must(t, w.Chat.Modify(group, 1, chatemu.MsgBody(chatemu.FileElem(elem(old, "?sig=2")), chatemu.FileElem(elem(fresh, "?sig=2")))))
		time.Sleep(look)
		w.Tick(group)
		all := receipts(t, w, 1)
		if len(all) != 1 || len(all[0].lines) != 1 || len(all[0].lines[0].Media) != 1 {
			t.Fatalf("receipts %+v", all)
		}
		line := all[0].lines[0].Media[0]
		if line.State != archive.MediaStored || line.SHA256 != fresh.SHA256() || line.Path != "1" {
			t.Errorf("the new file is %+v", line)
		}
		if _, err := w.Store.Head(t.Context(), layout.Blob(fresh.SHA256())); err != nil {
			t.Error(err)
		}
		if old.Count() != 1 || fresh.Count() != 1 {
			t.Errorf("fetched %d and %d times", old.Count(), fresh.Count())
		}
	})
}

// A file's URL with another signature is no edit.
func TestLook_AnotherQueryIsNoEdit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		body := func(sig string) []byte {
			return chatemu.MsgBody(chatemu.FileElem(chatemu.Media{URL: "https://h.example/f?sig=" + sig, Size: 1}))
		}
		must(t, w.Chat.Append(group, chatemu.Message{From: "a", Time: time.Now().Unix(), Body: body("1")}))
		say(t, w, 5)
		w.Tick(group)
		must(t, w.Chat.Modify(group, 1, body("2")))
		time.Sleep(look)
		w.Tick(group)
		if all := receipts(t, w, 1); len(all) != 1 || all[0].Counts[archive.ChangeSame] != 6 {
			t.Errorf("receipts %+v", all)
		}
	})
}

// A chunk that is lost, or damaged, is accounted for, and the trail goes on behind it.
func TestLook_AtALostChunkIsUnread(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		say(t, w, 100)
		w.Tick(group)
		_, err := w.Store.Overwrite(t.Context(), layout.Chunk(group, 41), objstore.Write{Body: []byte("damaged")})
		must(t, err)
		must(t, w.Chat.Recall(group, 33, 90))
		time.Sleep(look)
		w.Tick(group)
		all := receipts(t, w, 1)
		if diff := cmp.Diff([]string{"33 recalled", "90 recalled"}, told(all)); diff != "" {
			t.Errorf("differences (-want +got):\n%s", diff)
		}
		if len(all) != 3 || all[1].Counts[archive.ChangeUnread] != 40 {
			t.Errorf("receipts %+v", all)
		}
	})
}
