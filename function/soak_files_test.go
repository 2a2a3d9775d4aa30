package main_test

import (
	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/emulator/media/mix"
	"chatexport/internal/verify"
)

// soakFileBytes is the function's MEDIA_MAX_BYTES.
const soakFileBytes = 100_000

// soakLinks are the links that ever were, by group.
type soakLinks map[string]placedLinks

type placedLinks map[place]mix.Link

// place is where a link stands.
type place struct {
	seq chat.Seq
	n   int
}

// growFiles adds messages of which many have files, and notes both.
func (s *soak) growFiles(stream chat.Stream, n int) {
	s.t.Helper()
	links, err := mix.Fill(s.Chat, s.Media, stream, mix.Options{
		Seed: uint64(s.number(1 << 30)), Messages: n, MaxBytes: soakFileBytes, Lasts: *soakTime, //nolint:gosec // not negative
	})
	must(s.t, err)
	for _, l := range links {
		s.links[stream.GroupID][place{l.Seq, l.N}] = l
	}
	s.note(stream)
}

// checkFiles proves that every archived link has ended in one state, and that what is stored is what its host served. What
// was not had for all the faults is no failure: these messages are old, so that nothing is waited for.
func (s *soak) checkFiles(stream chat.Stream, found *verify.Files) {
	s.t.Helper()
	if found != nil && found.Outstanding > 0 {
		s.t.Errorf("%s: no receipt accounts for %d links", stream, found.Outstanding)
	}
	for _, l := range receipts(s.t, s.World, stream) {
		want, ok := s.links[stream.GroupID][place{l.Seq, l.N}]
		if !ok && l.State != archive.MediaStored {
			s.counts["link of a varied message"]++
			continue
		}
		if !ok || l.URL != want.URL || l.State == archive.MediaStored && (l.SHA256 != want.SHA256 || !want.May(l.State)) {
			s.t.Errorf("%s: a link is %+v, want %+v", stream, l, want)
		}
		s.counts["link "+l.State]++
	}
}
