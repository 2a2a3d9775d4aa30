package mix_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/mix"
)

const (
	messages = 250
	maxBytes = 64 << 10
)

type filled struct {
	stream chat.Stream
	app    *chatemu.Server
	host   *mediaemu.Server
	links  []mix.Link
}

func fill(t *testing.T, o mix.Options) filled {
	t.Helper()
	f := filled{stream: chat.Stream{GroupID: "g"}, app: chatemu.New(chatemu.Options{}), host: mediaemu.New(mediaemu.Options{})}
	f.host.StartT(t)
	err := f.app.AddGroup(chatemu.Group{ID: "g"})
	if err == nil {
		f.links, err = mix.Fill(f.app, f.host, f.stream, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func everything(seed uint64) mix.Options {
	return mix.Options{Seed: seed, Messages: messages, Share: 1, MaxBytes: maxBytes, Time: 1_700_000_000}
}

func TestMix_FollowsFromItsSeed(t *testing.T) {
	t.Parallel()
	plain := func(f filled) string { // without the port
		_, newest, err := f.app.Bounds(f.stream)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		all, _, err := f.app.Truth(f.stream)
		if err != nil {
			t.Fatal(err)
		}
		for r := range all {
			b.Write(r.JSON)
		}
		u, err := url.Parse(f.host.NowhereURL(""))
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReplacer(u.Host, "host", "localhost:"+u.Port(), "other").Replace(b.String()) + strconv.FormatInt(int64(newest), 10)
	}
	a, b, c := fill(t, everything(1)), fill(t, everything(1)), fill(t, everything(2))
	if plain(a) != plain(b) || plain(a) == plain(c) {
		t.Error("the messages do not follow from the seed")
	}
	if diff := cmp.Diff(a.links, b.links, cmpopts.IgnoreFields(mix.Link{}, "URL", "File")); diff != "" {
		t.Errorf("the links do not follow from the seed:\n%s", diff)
	}
	if few := fill(t, mix.Options{Seed: 1, Messages: messages}); len(few.links) < messages/8 || len(few.links) > len(a.links)/2 {
		t.Errorf("%d links where a quarter of the messages has files, %d where all have", len(few.links), len(a.links))
	}
}

// Every link is where its path says, in the message of its seq, and numbered from 0.
func TestMix_LinksAreWhereTheySay(t *testing.T) {
	t.Parallel()
	f := fill(t, everything(3))
	bodies := map[chat.Seq]any{}
	all, _, err := f.app.Truth(f.stream)
	if err != nil {
		t.Fatal(err)
	}
	for r := range all {
		var element struct{ MsgBody any }
		if r.Class == chat.ClassMessage && json.Unmarshal(r.JSON, &element) == nil {
			bodies[r.Seq] = element.MsgBody
		}
	}
	next, kinds, deepest := map[chat.Seq]int{}, map[string]int{}, 0
	for _, l := range f.links {
		if l.N != next[l.Seq] {
			t.Errorf("link %d of message %d, want number %d", l.N, l.Seq, next[l.Seq])
		}
		next[l.Seq]++
		kinds[l.Kind]++
		deepest = max(deepest, strings.Count(l.Path, "relay"))
		if got := urlAt(bodies[l.Seq], l.Path, l.Kind); got != l.URL {
			t.Errorf("message %d has %q at %s, want the %s %q", l.Seq, got, l.Path, l.Kind, l.URL)
		}
	}
	if len(kinds) != 6 || deepest < 2 || len(bodies) < messages*7/8 || len(bodies) == messages {
		t.Errorf("kinds %v, at most %d relays deep, %d messages", kinds, deepest, len(bodies))
	}
}

// urlAt returns the URL of a kind at a path of a MsgBody, "" if there is none.
func urlAt(body any, path, kind string) string {
	at := func(v any, keys ...string) any {
		for _, key := range keys {
			if list, ok := v.([]any); ok {
				if i, err := strconv.Atoi(key); err == nil && i < len(list) {
					v = list[i]
					continue
				}
			}
			object, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = object[key]
		}
		return v
	}
	steps := strings.Split(path, ".")
	element := at(body, steps[0])
	for s := steps[1:]; len(s) > 0; s = s[3:] {
		element = at(element, "MsgContent", "MsgList", s[1], "MsgBody", s[2])
	}
	member := map[string]string{"sound": "Url", "file": "Url", "video": "VideoUrl", "thumb": "ThumbUrl", "relay": "-"}[kind]
	if kind != "image" {
		found, _ := at(element, "MsgContent", member).(string)
		return found
	}
	var chosen string
	largest := -1.0
	sizes, _ := at(element, "MsgContent", "ImageInfoArray").([]any)
	for _, size := range sizes {
		found, _ := at(size, "URL").(string)
		if bytes, _ := at(size, "Size").(float64); found != "" && (at(size, "Type") == 1.0 || bytes > largest) {
			if chosen, largest = found, bytes; at(size, "Type") == 1.0 {
				break
			}
		}
	}
	return chosen
}

// What the links say is true of the host: a patient client gets what is to be stored, and nothing else.
func TestMix_TruthIsTheHosts(t *testing.T) {
	t.Parallel()
	f := fill(t, everything(4))
	c := &patient{t: t, host: f.host, http: &http.Client{Timeout: 10 * time.Second}}
	t.Cleanup(c.http.CloseIdleConnections)
	fortunes := map[string]bool{}
	for _, l := range f.links {
		fortunes[l.Fortune] = true
		if l.File == nil || l.May("banned") {
			continue
		}
		body, ok := c.fetch(t.Context(), l.URL)
		sum := sha256.Sum256(body)
		same := ok && hex.EncodeToString(sum[:]) == l.SHA256 && int64(len(body)) == l.Bytes
		if want := l.May("stored") || l.May("too-large"); want && !same || ok != want {
			t.Errorf("%s (%s) may be %v, fetched: %t, the same: %t", l.URL, l.Fortune, l.States, ok, same)
		}
		if available := l.File.Available(f.host.Now()); available != ok && l.Fortune != "moved too often" && l.Fortune != "moved too often, sent on" {
			t.Errorf("%s (%s) available: %t", l.URL, l.Fortune, available)
		}
		if l.May("stored") && l.Bytes > maxBytes {
			t.Errorf("%s (%s) has %d bytes", l.URL, l.Fortune, l.Bytes)
		}
	}
	for _, want := range []string{
		"as usual", "as usual, signed", "as usual, sent on", "same bytes", "empty", "another size said", "expiring", "404", "banned",
		"denied", "sent off the list", "sent to itself", "moved", "always cut", "external", "no url", "too large, chunked", "large relay",
	} {
		if !fortunes[want] {
			t.Errorf("no file of %d was %q", len(f.links), want)
		}
	}
	if n := f.host.Counters(); n.OffList != 0 || n.Unknown != 0 {
		t.Errorf("counters %+v", n)
	}
	for _, slow := range fill(t, mix.Options{Seed: 4, Messages: 200, Share: 1, Slow: true}).links {
		if slow.Fortune == "always stalls" {
			return
		}
	}
	t.Error("nothing stalls")
}

// patient is a client that tries everything five times.
type patient struct {
	t    *testing.T
	host *mediaemu.Server
	http *http.Client
}

func (c *patient) fetch(ctx context.Context, link string) ([]byte, bool) {
	for range 5 {
		target := link
		if status, _, _ := c.get(ctx, target); slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, status) {
			target, _ = c.host.Sign(link)
		}
		if status, body, err := c.get(ctx, target); err == nil && status == http.StatusOK {
			return body, true
		}
	}
	return nil, false
}

func (c *patient) get(ctx context.Context, target string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, nil, err
	}
	client := *c.http
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if next.URL.Host != r.URL.Host || len(via) > 5 {
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
