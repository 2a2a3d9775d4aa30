package pull_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/pull"
	"chatexport/internal/retry"
)

const (
	appID     = 1400000000
	secretKey = "key of the service, 32 bytes long"
)

// service is one group on the emulated service, and the production client that a reader asks it through.
type service struct {
	*testing.T
	stream chat.Stream
	chat   *chatemu.Server
	client *chatapi.Client
	reader *pull.Reader
	page   time.Duration // what a page takes
	logs   strings.Builder

	mu    sync.Mutex
	asked []chat.Query
}

// serve runs a test on a service of its own, whose group has n messages, in a bubble.
func serve(t *testing.T, quirks chatemu.Quirks, n int, message func(chat.Seq) chatemu.Message, f func(s *service)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		s := &service{T: t, stream: chat.Stream{GroupID: "g"}, chat: chatemu.New(chatemu.Options{SDKAppID: appID, SecretKey: secretKey, Quirks: quirks})}
		var err error
		s.client, err = chatapi.New(chatapi.Config{SDKAppID: appID, SecretKey: config.NewSecret(secretKey), BaseURL: "http://127.0.0.1", Transport: s.chat.RoundTripper()})
		s.must(err)
		s.must(s.chat.AddGroup(chatemu.Group{ID: "g"}))
		if n > 0 {
			s.must(s.chat.Generate(s.stream, n, message))
		}
		s.reader = &pull.Reader{
			Source: s, Caller: chatapi.NewCaller(retry.NewLimiter(1e9)), Stream: s.stream, Concurrency: 4, Log: zerolog.New(&s.logs),
		}
		f(s)
	})
}

// each is serve for a subtest.
func each(t *testing.T, name string, quirks chatemu.Quirks, n int, message func(chat.Seq) chatemu.Message, f func(s *service)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { serve(t, quirks, n, message, f) })
}

// Page implements pull.Source.
func (s *service) Page(ctx context.Context, q chat.Query) (chat.Page, error) {
	s.mu.Lock()
	s.asked = append(s.asked, q)
	s.mu.Unlock()
	time.Sleep(s.page)
	return s.client.Page(ctx, q)
}

func (s *service) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// calls returns how often the service was asked.
func (s *service) calls() int { return int(s.reader.Caller.Counts().Calls) }

// plain makes ordinary short messages.
func plain(chat.Seq) chatemu.Message { return chatemu.Message{From: "user1"} }

// deleted makes ordinary messages but for those that in says.
func deleted(in func(chat.Seq) bool) func(chat.Seq) chatemu.Message {
	return func(seq chat.Seq) chatemu.Message {
		if in(seq) {
			return chatemu.Message{Kind: chatemu.KindDeleted}
		}
		return plain(seq)
	}
}

// between tells the seqs of [lo, hi].
func between(lo, hi chat.Seq) func(chat.Seq) bool {
	return func(seq chat.Seq) bool { return lo <= seq && seq <= hi }
}

// segments reads [lo, hi] and proves that the segments follow each other, as far as they come.
func (s *service) segments(lo, hi chat.Seq, enough func() bool, read ...chat.Page) (all []pull.Segment, err error) {
	s.Helper()
	segments := s.reader.Segments(s.Context(), lo, hi, enough, read...)
	defer segments.Stop()
	for next := lo; ; {
		segment, ok, err := segments.Next()
		if err != nil || !ok {
			return all, err
		}
		if segment.Lo != next || segment.Hi > hi {
			s.Errorf("segment [%d, %d] comes where [%d, ...] should", segment.Lo, segment.Hi, next)
		}
		next = segment.Hi + 1
		all = append(all, segment)
	}
}

func never() bool { return false }

// exact proves that reading [1, hi] brings exactly what is retained, in order and once each.
func (s *service) exact(hi chat.Seq, read ...chat.Page) {
	s.Helper()
	segments, err := s.segments(1, hi, never, read...)
	s.must(err)
	var want, got []chat.Seq
	for _, segment := range segments {
		for i := range segment.Elements {
			if e := &segment.Elements[i]; e.Retained() {
				got = append(got, e.Seq)
			}
		}
	}
	truth, _, err := s.chat.Truth(s.stream)
	s.must(err)
	for r := range truth {
		if r.JSON != nil && r.Class != chat.ClassPlaceholder && r.Seq <= hi {
			want = append(want, r.Seq)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("seqs (-retained +read):\n%s", diff)
	}
}
