package media_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/world"
)

const stored = "stored"

func (s *scene) want(what string, states ...string) {
	s.t.Helper()
	if got := s.states(); !slices.Equal(got, states) {
		s.t.Errorf("%s: links are %q, want %q", what, got, states)
	}
}

// A file that does not come now comes with a later tick. Until then the receipts end below its message, of which another
// file has come, and nobody asks for it before it is due.
func TestWaiting_FileComesWithALaterTick(t *testing.T) {
	t.Parallel()
	bubble(t, world.Options{}, func(t *testing.T, s *scene) {
		s.send(lately(), picture(1))
		files := s.send(lately(), picture(2), troubled(3, mediaemu.Trouble{Times: 3, Status: http.StatusServiceUnavailable}))
		s.send(lately(), picture(4))
		s.after(0)
		s.want("the first tick", stored)
		if m := s.ranges(1); len(m) != 1 || m[0].Hi != 1 {
			t.Errorf("receipts %+v, want one of [1, 1]", m)
		}
		if hint := s.state().Media; hint.Frontier != 2 || time.Until(hint.Due) <= 0 || hint.Code != "" {
			t.Errorf("the state says %+v, want a trail that waits at 2", hint)
		}
		s.complete()
		s.after(time.Minute)
		if n := files[1].Count(); n != 3 {
			t.Errorf("it was asked for %d times before it is due, want the 3 tries of one tick", n)
		}
		s.after(soon)
		s.want("a later tick", stored, stored, stored, stored)
		if m := s.ranges(1); len(m) != 2 || m[1].Previous != m[0].SHA256 {
			t.Errorf("receipts %+v, want a chain of two", m)
		}
	})
}

// What comes behind a file that is waited for is not fetched again with it.
func TestWaiting_AsksForNothingElse(t *testing.T) {
	t.Parallel()
	bubble(t, world.Options{}, func(t *testing.T, s *scene) {
		late := s.send(lately(), troubled(1, mediaemu.Trouble{Times: 7, Status: http.StatusServiceUnavailable}), picture(2))
		others := append(s.send(lately(), picture(3)), s.send(lately(), picture(4))...)
		for n := 1; n <= 3; n++ {
			s.after(soon)
			for _, f := range others {
				if want := n/3 + 1; f.Count() != want {
					t.Errorf("tick %d: what comes behind it was asked for %d times, want %d", n, f.Count(), want)
				}
			}
		}
		if late[0].Count() != 8 {
			t.Errorf("it was asked for %d times", late[0].Count())
		}
		s.want("when it has come", stored, stored, stored, stored)
	})
}

func TestWaiting_EndsTwelveHoursAfterTheListingIfOthersCome(t *testing.T) {
	t.Parallel()
	bubble(t, world.Options{}, func(t *testing.T, s *scene) {
		s.send(lately(), broken(1))
		s.send(lately(), picture(2))
		s.after(0)
		s.after(11*time.Hour + 30*time.Minute)
		s.want("before 12 hours")
		s.after(40 * time.Minute)
		s.want("after 12 hours", "failed http_500", stored)
	})
}

// As long as nothing comes, it may be the service that is down.
func TestWaiting_GoesOnWhileNothingComes(t *testing.T) {
	t.Parallel()
	bubble(t, world.Options{}, func(t *testing.T, s *scene) {
		s.set(func() { s.down = true })
		s.send(lately(), picture(1))
		s.send(lately(), picture(2))
		s.after(0)
		s.after(13 * time.Hour)
		s.after(24 * time.Hour)
		s.want("while the host is down")
		s.sound()
		s.after(soon)
		s.want("when it is back", stored, stored)
	})
}

func TestWaiting_EndsWhenTheMessageIsOld(t *testing.T) {
	t.Parallel()
	bubble(t, world.Options{}, func(t *testing.T, s *scene) { // messages are stored for 7 days
		s.send(lately(), broken(1))
		s.after(0)
		s.after(82 * time.Hour)
		s.want("before half of the retention")
		s.after(3 * time.Hour)
		s.want("after it", "failed http_500")
	})
}

// A file that does not fit into a whole batch fits into none. Such a try counts like any other.
func TestTooSlow_FileThatDoesNotFitIntoABatch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		age  time.Duration
		want []string
	}{
		{time.Hour, nil},
		{4 * 24 * time.Hour, []string{"failed too-slow", stored}},
	} {
		bubble(t, world.Options{TimeLimit: 30 * time.Second}, func(t *testing.T, s *scene) {
			slow := mediaemu.Spec{Content: mediaemu.Generated(1, 100_000), SlowBody: time.Minute}
			sent := time.Now().Add(-tc.age)
			s.send(sent, slow)
			s.send(sent, picture(2))
			s.after(0)
			s.want("a message that is "+tc.age.String()+" old", tc.want...)
			if due := s.state().Media.Due; tc.want == nil && time.Until(due) <= 0 {
				t.Errorf("it is due at %v, and should be waited for", due)
			}
		})
	}
}

// A file that only the end of a batch has cut was no failed try, however old its message is.
func TestTooSlow_FileThatWasBegunLateComesInTheNextBatch(t *testing.T) {
	t.Parallel()
	env := map[string]string{"MEDIA_MAX_BYTES": "503316480"} // for which there is room but once
	bubble(t, world.Options{TimeLimit: 30 * time.Second, Env: env}, func(t *testing.T, s *scene) {
		sent := time.Now().Add(-5 * 24 * time.Hour)
		for n := range uint64(3) {
			s.send(sent, mediaemu.Spec{Content: mediaemu.Generated(n, 100_000), SlowBody: 13 * time.Second})
		}
		if n := s.after(0); n < 3 {
			t.Errorf("%d invocations, want one for each file", n)
		}
		s.want("slow files", stored, stored, stored)
	})
}

// Where services are so slow that half of every batch is over before files have their turn, what does not fit into the rest
// fits into no batch: it is a failed try all the same, and no batch hands on to the next for nothing.
func TestTooSlow_FileThatFitsIntoNoBatchSetsNoChainGoing(t *testing.T) {
	t.Parallel()
	slow := world.Options{
		TimeLimit: 10 * time.Second, COS: cosemu.Options{Latency: 500 * time.Millisecond}, Chat: chatemu.Options{Latency: time.Second},
	}
	bubble(t, slow, func(t *testing.T, s *scene) {
		s.send(time.Now().Add(-4*24*time.Hour), mediaemu.Spec{Content: mediaemu.Generated(1, 100_000), SlowBody: time.Minute})
		s.set(func() {
			requests := 0
			s.asked = func() {
				if requests++; requests > 5 { // or the chain would not end
					s.set(func() { s.down = true })
				}
			}
		})
		for range 2 {
			if n := s.after(soon); n > 3 {
				t.Errorf("%d invocations", n)
			}
		}
		s.want("a file that never fits", "failed too-slow")
	})
}

// Of a chunk whose files should all have expired, some of each host are tried. Others are only if one of them comes.
func TestExpired_IsToldByASample(t *testing.T) {
	t.Parallel()
	const links, tried = 50, 20
	for name, come := range map[string]bool{"none comes": false, "they come": true} {
		bubble(t, world.Options{}, func(t *testing.T, s *scene) {
			for n := range uint64(links) {
				spec := picture(n)
				spec.Missing = !come
				s.send(time.Now().Add(-9*24*time.Hour), spec)
			}
			s.after(0)
			got := map[string]int{}
			for _, state := range s.states() {
				got[state]++
			}
			if come && got[stored] != links || !come && (got["gone http_404"] != tried || got["gone expired"] != links-tried) {
				t.Errorf("%s: links are %v", name, got)
			}
			if n := s.Media.Counters().Requests; !come && n != tried {
				t.Errorf("%s: %d requests", name, n)
			}
		})
	}
}
