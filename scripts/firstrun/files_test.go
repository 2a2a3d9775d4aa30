package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/sample"
	"chatexport/internal/emulator/world"
)

// sent makes a world whose group has one file, and returns its URL.
func sent(t *testing.T, o world.Options, change func(*mediaemu.Spec)) (w *world.World, url string) {
	t.Helper()
	w = world.New(t, o)
	s := w.Group("g", 0)
	spec := mediaemu.Spec{Content: mediaemu.Bytes(sample.PNG(1)), Type: "image/png"}
	if change != nil {
		change(&spec)
	}
	f := w.Media.Add(spec)
	send(t, w, s, f.URL(), f.Size())
	return w, f.URL()
}

func send(t *testing.T, w *world.World, s chat.Stream, url string, size int64) {
	t.Helper()
	m := chatemu.Media{URL: url, Size: size}
	if err := w.Chat.Append(s, chatemu.Message{From: "a", Body: chatemu.MsgBody(chatemu.ImageElem(m, m, m))}); err != nil {
		t.Fatal(err)
	}
}

func TestFiles_EveryReadingIsRecognised(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*mediaemu.Spec)
		want   []string
	}{
		"open": {nil, []string{
			"it comes, as image/png, ", "[as built] no signature is asked for", "a URL, status 0: it comes, as image/png", "[as built] what is refused",
			"seen:  20 are taken, 40: code", "[as built] a message that was not edited comes as it was",
		}},
		"signed": {func(s *mediaemu.Spec) { s.Access = mediaemu.Signed403 }, []string{
			"file refused (http_403)", "[fine] a signature is asked for", "a URL, status 0: it comes", "[as built] what is refused",
		}},
		"banned":       {func(s *mediaemu.Spec) { s.Banned = true }, []string{"a URL, status 1: it comes"}},
		"not signed":   {func(s *mediaemu.Spec) { s.Access, s.Unsignable = mediaemu.Signed401, true }, []string{"http_401", "no URL, status 0", "[LOOK] files of this host that need"}},
		"never opened": {func(s *mediaemu.Spec) { s.Access = mediaemu.Denied }, []string{"[LOOK] a signature does not open it"}},
		"gone":         {func(s *mediaemu.Spec) { s.Missing = true }, []string{"file gone (http_404)", "[LOOK] a file is gone before its message", "a URL, status 2: file gone"}},
		"no host": {func(s *mediaemu.Spec) { s.Troubles = []mediaemu.Trouble{{Times: -1, Reset: true}} }, []string{
			"[LOOK] files of this host are not had now. Can this machine reach it?",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := sent(t, world.Options{}, test.change)
			out, err := firstrun(t, w, "--group", "g")
			for _, want := range test.want {
				if err != nil || !strings.Contains(out, want) {
					t.Errorf("%v, no %q in:\n%s", err, want, out)
				}
			}
		})
	}
}

func TestFiles_EachHostIsAsked(t *testing.T) {
	t.Parallel()
	w, url := sent(t, world.Options{Env: map[string]string{"MEDIA_HOSTS": "127.0.0.1,localhost"}}, nil)
	s := chat.Stream{GroupID: "g"}
	send(t, w, s, w.Media.OffListURL("x.png"), 0)
	send(t, w, s, "https://files.example.com/private.png", 0)
	out, err := firstrun(t, w, "--group", "g")
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	for _, want := range []string{
		"seen:  not those on files.example.com\n", "Does a file of " + host + " come", "Does a file of localhost:", "Does get_cos_sig sign a file of localhost:",
	} {
		if err != nil || !strings.Contains(out, want) || strings.Contains(out, "private.png") {
			t.Errorf("%v, no %q in:\n%s", err, want, out)
		}
	}
}

func TestFiles_ExpiredOneIsAskedFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*mediaemu.Spec)
		want   string
	}{
		"404":                 {func(s *mediaemu.Spec) { s.Missing = true }, "file gone (http_404); get_cos_sig: status 2\n    means: [as built] such files end as gone"},
		"403 and status 2":    {func(s *mediaemu.Spec) { s.Missing, s.Access = true, mediaemu.Signed403 }, "file refused (http_403); get_cos_sig: status 2\n    means: [as built]"},
		"403 and no status 2": {func(s *mediaemu.Spec) { s.Access = mediaemu.Denied }, "[LOOK] such files end as refused"},
		"still there":         {nil, "[LOOK] it is still there"},
	} {
		w, url := sent(t, world.Options{}, test.change)
		if out, err := firstrun(t, w, "--expired-url", url); err != nil || !strings.Contains(out, test.want) {
			t.Errorf("%s: %v, no %q in:\n%s", name, err, test.want, out)
		}
	}
}

// renaming changes the URLs of pictures in every answer: behind the ?, or before it.
func renaming(from, to string) func(string, http.Handler) http.Handler {
	var answers atomic.Int32
	return func(service string, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if service != "chat" {
				next.ServeHTTP(w, r)
				return
			}
			r.Header.Del("Accept-Encoding")
			recorder := httptest.NewRecorder()
			next.ServeHTTP(recorder, r)
			body := bytes.ReplaceAll(recorder.Body.Bytes(), []byte(from), fmt.Appendf(nil, to, answers.Add(1)))
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body) // a client that left meanwhile is none of ours
		})
	}
}

func TestFiles_URLsThatChangeAreRecognised(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, to, want string }{
		{"?imageMogr2/", "?t=%d&imageMogr2/", "0 are, 1 differ behind the ?, 0 before it\n    means: [fine]"},
		{"?imageMogr2/", "-%d?imageMogr2/", "0 are, 0 differ behind the ?, 1 before it\n    means: [LOOK]"},
	} {
		w, _ := sent(t, world.Options{Wrap: renaming(test.from, test.to)}, nil)
		if out, err := firstrun(t, w, "--group", "g"); err != nil || !strings.Contains(out, test.want) {
			t.Errorf("%v, no %q in:\n%s", err, test.want, out)
		}
	}
}
