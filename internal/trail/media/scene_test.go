package media_test

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// scene is a virtual world with one group whose files are archived, in virtual time.
type scene struct {
	*world.World

	t *testing.T

	mu    sync.Mutex // guards what follows
	down  bool       // the host answers 503
	wrong func(*cosemu.Request) *cosemu.Fault
	asked func() // told of each request for a file
}

func bubble(t *testing.T, o world.Options, f func(*testing.T, *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC)))
		s := &scene{t: t}
		env := map[string]string{"EXPORT_MEDIA": "on"}
		maps.Copy(env, o.Env)
		o.Virtual, o.Env, o.Media.Latency = true, env, 20*time.Millisecond // two things do not happen at one moment
		o.COS.Fault = func(r *cosemu.Request) *cosemu.Fault {
			s.mu.Lock()
			wrong := s.wrong
			s.mu.Unlock()
			if wrong == nil {
				return nil
			}
			return wrong(r)
		}
		o.Wrap = func(service string, next http.Handler) http.Handler {
			if service != "media" {
				return next
			}
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(next, w, r) })
		}
		s.World = world.New(t, o)
		s.must(s.Chat.AddGroup(chatemu.Group{ID: group.GroupID}))
		f(t, s)
	})
}

func (s *scene) serve(host http.Handler, w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	down, asked := s.down, s.asked
	s.mu.Unlock()
	if asked != nil {
		asked()
	}
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	host.ServeHTTP(w, r)
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// set changes what the handlers do.
func (s *scene) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// fails lets requests for keys with a prefix fail; an empty code ends that.
func (s *scene) fails(op cosemu.Op, prefix string, status int, code string) {
	s.set(func() {
		s.wrong = func(r *cosemu.Request) *cosemu.Fault {
			if r.Op != op || !strings.HasPrefix(r.Key, prefix) || code == "" {
				return nil
			}
			return &cosemu.Fault{Status: status, Code: code}
		}
	})
}

// sound ends all faults.
func (s *scene) sound() { s.set(func() { s.wrong, s.down = nil, false }) }

// picture is a file that can be had.
func picture(seed uint64) mediaemu.Spec {
	return mediaemu.Spec{Content: mediaemu.Generated(seed, 1000), Type: "image/jpeg"}
}

func troubled(seed uint64, t mediaemu.Trouble) mediaemu.Spec {
	spec := picture(seed)
	spec.Troubles = []mediaemu.Trouble{t}
	return spec
}

// broken are files that never come.
func broken(seed uint64) mediaemu.Spec {
	return troubled(seed, mediaemu.Trouble{Times: -1, Status: http.StatusInternalServerError})
}

// send appends a message with a file for each spec, as it is sent at a time.
func (s *scene) send(at time.Time, specs ...mediaemu.Spec) (files []*mediaemu.File) {
	s.t.Helper()
	s.sendTo(group, at, func(spec mediaemu.Spec) *mediaemu.File {
		files = append(files, s.Media.Add(spec))
		return files[len(files)-1]
	}, specs...)
	return files
}

func (s *scene) sendTo(stream chat.Stream, at time.Time, add func(mediaemu.Spec) *mediaemu.File, specs ...mediaemu.Spec) {
	s.t.Helper()
	body := chatemu.MsgBody(chatemu.TextElem("words"))
	for _, spec := range specs {
		f := chatemu.FileElem(chatemu.Media{URL: add(spec).URL(), Size: spec.Content.Size(), Name: "a"})
		body = append(append(append(body[:len(body)-1], ','), f...), ']')
	}
	s.must(s.Chat.Append(stream, chatemu.Message{Time: at.Unix(), Body: body}))
}

// lately is long enough ago for a message not to be settling.
func lately() time.Time { return time.Now().Add(-time.Hour) }

// after lets time pass and a tick come, and returns how many invocations that took.
func (s *scene) after(d time.Duration) int {
	s.t.Helper()
	time.Sleep(d)
	return s.Tick(group)
}

const soon = 11 * time.Minute // a trail that waits is worth another try by then

func (s *scene) state() archive.State {
	s.t.Helper()
	body, _, err := s.Store.Get(s.t.Context(), layout.State(group))
	s.must(err)
	state, err := archive.ParseState(body)
	s.must(err)
	return state
}

// states are what became of the links, in order, as "state code".
func (s *scene) states() []string {
	s.t.Helper()
	var states []string
	for _, l := range receipts(s.t, s.World) {
		states = append(states, strings.TrimSpace(l.State+" "+l.Code))
	}
	return states
}

// ranges are what the receipts of a chunk cover, from its first on.
func (s *scene) ranges(lo chat.Seq) (metas []archive.ReceiptMeta) {
	s.t.Helper()
	for {
		body, _, err := s.Store.Get(s.t.Context(), layout.Media(group, lo))
		if errors.Is(err, objstore.ErrNotExist) {
			return metas
		}
		s.must(err)
		m, err := archive.Media().ReadReceipt(bytes.NewReader(body), func([]byte) error { return nil })
		s.must(err)
		metas = append(metas, m)
		lo = m.Hi + 1
	}
}

// puts are the keys that were written, in order, with these prefixes; what was written before is not.
func (s *scene) puts(prefixes ...string) (keys []string) {
	for _, r := range s.COS.Log() {
		for _, prefix := range prefixes {
			if r.Op == cosemu.OpPut && r.Status == http.StatusOK && strings.HasPrefix(r.Key, prefix) {
				keys = append(keys, r.Key)
			}
		}
	}
	return keys
}

// complete proves that the messages are archived, whatever became of the files.
func (s *scene) complete() {
	s.t.Helper()
	s.ended()
	s.Verify(group)
}

// ended tells whether the run is complete, whatever a reader finds in the trail.
func (s *scene) ended() {
	s.t.Helper()
	if state := s.state(); state.Status != archive.StatusComplete || state.Error != nil {
		s.t.Errorf("the run is %s, %+v", state.Status, state.Error)
	}
}
