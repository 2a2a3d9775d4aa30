package media_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// The links of a chunk that is lost are accounted for, those that have receipts once.
func TestUnread_LinksOfALostChunk(t *testing.T) {
	t.Parallel()
	lost := &cosemu.Fault{Status: http.StatusNotFound, Code: "NoSuchKey"}
	for name, fault := range map[string]*cosemu.Fault{"lost": lost, "damaged": {Damage: true}} {
		for _, whole := range []bool{true, false} {
			bubble(t, world.Options{}, func(t *testing.T, s *scene) {
				s.send(lately(), picture(1), picture(2))
				s.send(lately(), broken(3), picture(4))
				s.send(lately(), picture(5))
				if !whole { // the first message has its receipt
					s.after(0)
				}
				s.set(func() {
					s.wrong = func(r *cosemu.Request) *cosemu.Fault {
						if r.Op != cosemu.OpGet || !strings.HasPrefix(r.Key, layout.DataPrefix) {
							return nil
						}
						return fault
					}
				})
				s.after(soon)
				s.sound()
				s.complete()
				metas := s.ranges(1)
				last := metas[len(metas)-1]
				if want := map[bool]int64{true: 5, false: 3}[whole]; last.Hi != 3 || last.Counts[archive.MediaUnread] != want || last.Sum() != want {
					t.Errorf("%s, whole %t: the last receipt is %+v, want %d unread", name, whole, last, want)
				}
				s.send(lately(), picture(6)) // the trail goes on behind it
				s.after(soon)
				if m := s.ranges(4); len(m) != 1 || m[0].Counts[archive.MediaStored] != 1 {
					t.Errorf("%s, whole %t: behind it are %+v", name, whole, m)
				}
			})
		}
	}
}

func TestReceipt_HasAtMostAThousandLinksOfWholeMessages(t *testing.T) {
	t.Parallel()
	urlless := func(n int) chatemu.Message {
		elements := make([]json.RawMessage, n)
		for i := range elements {
			elements[i] = chatemu.SoundElem(chatemu.Media{})
		}
		return chatemu.Message{Time: lately().Unix(), Body: chatemu.MsgBody(elements...)}
	}
	for _, tc := range []struct {
		messages []int // links of each
		want     []chat.Seq
	}{
		{[]int{500, 500, 1}, []chat.Seq{2, 3}},
		{[]int{500, 501, 499}, []chat.Seq{1, 3}},
		{[]int{1, 1200, 1}, []chat.Seq{1, 2, 3}},
	} {
		bubble(t, world.Options{}, func(t *testing.T, s *scene) {
			for _, n := range tc.messages {
				s.must(s.Chat.Append(group, urlless(n)))
			}
			s.after(0)
			var ends []chat.Seq
			for _, m := range s.ranges(1) {
				ends = append(ends, m.Hi)
			}
			if !slices.Equal(ends, tc.want) {
				t.Errorf("messages with %v links: receipts end at %v, want %v", tc.messages, ends, tc.want)
			}
			if n := len(s.states()); n != tc.messages[0]+tc.messages[1]+tc.messages[2] {
				t.Errorf("messages with %v links: %d lines", tc.messages, n)
			}
		})
	}
}

func TestBlob_NameThatIsTakenByOtherBytesIsDamaged(t *testing.T) {
	t.Parallel()
	bubble(t, world.Options{}, func(t *testing.T, s *scene) {
		files := s.send(lately(), picture(1), picture(2))
		_, err := s.Store.Create(t.Context(), layout.Blob(files[0].SHA256()), objstore.Write{Body: []byte("something else"), ContentType: "text/plain"})
		s.must(err)
		s.after(0)
		s.want("the name is taken", "failed blob_damaged", stored)
	})
}

func TestBlob_SameBytesAreOne(t *testing.T) {
	t.Parallel()
	bubble(t, world.Options{}, func(t *testing.T, s *scene) {
		s.send(lately(), picture(1), picture(1))
		s.send(lately(), picture(1))
		s.after(0)
		s.want("the same bytes", stored, stored, stored)
		if keys := s.puts(layout.BlobPrefix); len(keys) != 1 {
			t.Errorf("%v were stored", keys)
		}
	})
}

// A role that may not write files or receipts keeps no run from its end: the trail stands still, and goes on when it may.
func TestTrail_StandsStillWhereItMayNotWrite(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{layout.BlobPrefix, layout.MediaPrefixRoot} {
		bubble(t, world.Options{}, func(t *testing.T, s *scene) {
			s.fails(cosemu.OpPut, prefix, http.StatusForbidden, "AccessDenied")
			s.send(lately(), picture(1))
			if n := s.after(0); n != 1 {
				t.Errorf("%s: %d invocations", prefix, n)
			}
			s.complete()
			if hint := s.state().Media; hint.Code != "AccessDenied" || hint.At.IsZero() || hint.Frontier != 1 {
				t.Errorf("%s: the state says %+v", prefix, hint)
			}
			if !strings.Contains(s.Logs.String(), "the trail stands still") {
				t.Errorf("%s: nobody is warned", prefix)
			}
			s.sound()
			s.after(soon)
			s.want(prefix, stored)
			if hint := s.state().Media; hint.Code != "" || !hint.At.IsZero() {
				t.Errorf("%s: the state still says %+v", prefix, hint)
			}
		})
	}
}

// What is wrong with the trail's own objects is damage of the trail alone: nothing is written over it, filled in before
// it, or held up by it.
func TestDamage_IsOfTheTrailAlone(t *testing.T) {
	t.Parallel()
	gone := func(s *scene, keys ...string) {
		s.set(func() {
			s.wrong = func(r *cosemu.Request) *cosemu.Fault {
				if (r.Op == cosemu.OpGet || r.Op == cosemu.OpHead) && slices.Contains(keys, r.Key) {
					return &cosemu.Fault{Status: http.StatusNotFound, Code: "NoSuchKey"}
				}
				return nil
			}
		})
	}
	first := layout.Media(group, 1)
	for _, tc := range []struct {
		name, code string
		before     int // messages with receipts, each in a chunk of its own
		damage     func(*scene)
	}{
		{"a foreign object under a receipt's name", "foreign_object", 0, func(s *scene) {
			_, err := s.Store.Create(s.t.Context(), first, objstore.Write{Body: []byte("x"), ContentType: "text/plain"})
			s.must(err)
		}},
		{"the receipt that state names is missing", "receipt_missing", 1, func(s *scene) { gone(s, first) }},
		{"a manifest names a receipt that is missing, and the state is lost", "receipt_missing", 2, func(s *scene) { gone(s, first, layout.State(group)) }},
	} {
		bubble(t, world.Options{}, func(t *testing.T, s *scene) {
			for n := range tc.before {
				s.send(lately(), picture(uint64(n)))
				s.after(soon)
			}
			tc.damage(s)
			s.COS.ResetCounts()
			for n := range 2 {
				s.send(lately(), picture(uint64(10+n)))
				s.after(soon)
			}
			if keys := s.puts(layout.MediaPrefixRoot); len(keys) > 0 {
				t.Errorf("%s: %v were written", tc.name, keys)
			}
			s.sound()
			s.ended()
			if hint := s.state().Media; hint.Code != tc.code {
				t.Errorf("%s: the state says %+v, want %s", tc.name, hint, tc.code)
			}
		})
	}
}

func TestTrail_GoesOnWhereItWasSwitchedOff(t *testing.T) {
	t.Parallel()
	bubble(t, world.Options{}, func(t *testing.T, s *scene) {
		s.send(lately(), picture(1))
		s.after(0)
		s.Env["EXPORT_MEDIA"] = "off"
		for n := range uint64(3) {
			s.send(lately(), picture(2+n))
			s.after(soon)
		}
		s.want("switched off", stored)
		s.complete()
		s.Env["EXPORT_MEDIA"] = "on"
		s.after(soon)
		s.want("switched on", stored, stored, stored, stored)
	})
}

// slow are files of which each takes a while, and for which there is room but once.
func slow(n uint64, d time.Duration) mediaemu.Spec {
	return mediaemu.Spec{Content: mediaemu.Generated(n, 10_000), SlowBody: d}
}

func oneByOne() world.Options {
	return world.Options{TimeLimit: 30 * time.Second, Env: map[string]string{"MEDIA_MAX_BYTES": "503316480"}}
}

// A long trail goes from batch to batch to its end, and no further. What is sent meanwhile does not wait for it.
func TestTrail_NeverHoldsUpMessages(t *testing.T) {
	t.Parallel()
	bubble(t, oneByOne(), func(t *testing.T, s *scene) {
		const files = 12
		for n := range uint64(files) {
			s.send(lately(), slow(n, 5*time.Second))
		}
		requests := 0
		s.set(func() {
			s.asked = func() {
				if requests++; requests == 2 {
					s.must(s.Chat.Append(group, chatemu.Message{Time: lately().Unix()}))
				}
			}
		})
		n := s.after(0)
		if n < 3 || n > 5 {
			t.Errorf("%d invocations, want one for every three files or so", n)
		}
		s.want("the end", slices.Repeat([]string{stored}, files)...)
		s.complete()
		keys := s.puts(layout.DataPrefix, layout.MediaPrefixRoot)
		if at := slices.Index(keys, layout.Chunk(group, files+1)); at < 0 || at > len(keys)/2 {
			t.Errorf("the new message is not archived before most of the files: %v", keys)
		}
	})
}

func TestTrail_MessagesOfAllStreamsOfAnEventComeFirst(t *testing.T) {
	t.Parallel()
	bubble(t, world.Options{}, func(t *testing.T, s *scene) {
		streams := []chat.Stream{group, {GroupID: "@TGS#second"}, {GroupID: "@TGS#third"}}
		for i, stream := range streams {
			if i > 0 {
				s.must(s.Chat.AddGroup(chatemu.Group{ID: stream.GroupID}))
			}
			s.sendTo(stream, lately(), s.Media.Add, picture(uint64(i)))
		}
		s.Tick(streams...)
		keys := s.puts(layout.DataPrefix, layout.MediaPrefixRoot)
		receipt := func(key string) bool { return strings.HasPrefix(key, layout.MediaPrefixRoot) }
		if len(keys) != 6 || slices.IndexFunc(keys, receipt) != 3 {
			t.Errorf("written were %v, want all chunks before all receipts", keys)
		}
	})
}

func TestTrail_OfAGoneStreamGoesOn(t *testing.T) {
	t.Parallel()
	bubble(t, oneByOne(), func(t *testing.T, s *scene) {
		s.Env["EXPORT_MEDIA"] = "off"
		const files = 8
		for n := range uint64(files) {
			s.send(lately(), slow(n, 5*time.Second))
		}
		s.after(0)
		s.must(s.Chat.Dissolve(group.GroupID))
		s.Env["EXPORT_MEDIA"] = "on"
		if n := s.after(soon); n < 2 {
			t.Errorf("%d invocations, want some for the files", n)
		}
		s.want("of the gone group", slices.Repeat([]string{stored}, files)...)
		if status := s.state().Status; status != archive.StatusGone {
			t.Errorf("status %s", status)
		}
	})
}

// What has no files, or no files that are still to be fetched, costs not one request more.
func TestCost_OfATrailWithNothingToDoIsNone(t *testing.T) {
	t.Parallel()
	costs := func(media string, files int) (first, idle, grown map[cosemu.Op]int) {
		bubble(t, world.Options{Env: map[string]string{"EXPORT_MEDIA": media}}, func(t *testing.T, s *scene) {
			tick := func() map[cosemu.Op]int {
				s.COS.ResetCounts()
				if n := s.after(soon); n != 1 {
					s.t.Errorf("%d invocations", n)
				}
				return s.COS.Counts()
			}
			say := func() { s.must(s.Chat.Append(group, chatemu.Message{Time: lately().Unix()})) }
			say()
			for n := range files {
				s.send(lately(), picture(uint64(n)))
			}
			first = tick()
			idle = tick()
			say()
			grown = tick()
		})
		return first, idle, grown
	}
	first, idle, grown := costs("off", 0)
	for _, files := range []int{0, 3} {
		withFirst, withIdle, withGrown := costs("on", files)
		if files == 0 {
			same(t, "the first tick", first, withFirst)
		}
		same(t, "an idle tick", idle, withIdle)
		same(t, "a tick with a message without files", grown, withGrown)
	}
}

func same(t *testing.T, what string, want, got map[cosemu.Op]int) {
	t.Helper()
	for _, op := range []cosemu.Op{cosemu.OpGet, cosemu.OpHead, cosemu.OpPut, cosemu.OpList} {
		if got[op] != want[op] {
			t.Errorf("%s makes %d requests %s, %d without files", what, got[op], op, want[op])
		}
	}
}
