package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/cli"
)

// Media is how the files are doing that a stream's messages have links to. Members are only ever added.
type Media struct {
	Links    int64            `json:"links"`              // of the archived messages
	Waiting  int64            `json:"waiting"`            // of these, those that are listed and that nothing accounts for yet
	Frontier chat.Seq         `json:"frontier"`           // all links below it are accounted for
	OldestAt time.Time        `json:"oldest_at,omitzero"` // of the oldest message among those whose links wait
	AtRisk   bool             `json:"at_risk"`            // they may expire first
	Off      bool             `json:"off,omitempty"`      // they are not fetched (EXPORT_MEDIA)
	Due      time.Time        `json:"due,omitzero"`       // when the next try is worth it
	Code     string           `json:"code,omitempty"`     // why nothing goes on
	At       time.Time        `json:"at,omitzero"`        // of the last try that ended so
	Bytes    int64            `json:"bytes,omitempty"`    // of the files that are stored, with --files
	States   map[string]int64 `json:"states,omitempty"`   // links by what became of them, with --files
}

// media finds out how the files are doing. For a stream without links, or without any that wait, it reads nothing.
func (s *Stream) media(ctx context.Context, store catalog.Store, first chat.Seq, state *archive.State) error {
	if s.links == 0 {
		return nil
	}
	s.Media = &Media{Links: s.links, Frontier: s.Frontier}
	var hint *archive.TrailHint
	if state != nil {
		hint = state.Media
	}
	if hint != nil {
		s.Media.Due, s.Media.Code, s.Media.At = hint.Due, hint.Code, hint.At
		if hint.Frontier > s.listed {
			return nil
		}
	}
	w, err := catalog.WaitingLinks(ctx, store, s.Stream, first, hint)
	switch {
	case catalog.Damaged(err), errors.Is(err, objstore.ErrNotExist):
		s.Media.Code = "receipt_invalid"
		return nil
	case err != nil:
		return err
	}
	s.Media.Waiting = w.Links
	if w.Links > 0 {
		s.Media.Frontier = w.From
	}
	if w.Oldest > 0 {
		s.Media.OldestAt = time.Unix(w.Oldest, 0).UTC()
	}
	return nil
}

// files reads all receipts.
func (s *Stream) files(ctx context.Context, store catalog.Store, first chat.Seq) error {
	if s.Media == nil {
		return nil
	}
	var files catalog.Files
	for m, err := range catalog.Manifests(ctx, store, s.Stream, first) {
		for i := range m.Chunks {
			if err == nil {
				err = files.Read(ctx, store, s.Stream, &m.Chunks[i])
			}
		}
		if catalog.Damaged(err) {
			s.Media.Code = "receipt_invalid"
			break
		}
		if err != nil {
			return err
		}
	}
	s.Media.States, s.Media.Bytes = files.States, files.Bytes
	return nil
}

// judge decides whether files may expire before they are archived, by the same rule as messages.
func (m *Media) judge(now time.Time, retention time.Duration) {
	m.AtRisk = !m.Off && m.Waiting > 0 && !m.OldestAt.IsZero() && now.Sub(m.OldestAt) > time.Duration(riskShare*float64(retention))
}

// FilesAtRisk reports whether files may expire before they are archived.
func (s *Stream) FilesAtRisk() bool { return s.Media != nil && s.Media.AtRisk }

// filesFail reports whether somebody should know that no files come.
func (s *Stream) filesFail() bool { return s.Media != nil && s.Media.Code != "" && !s.Media.Off }

// Text says how the files are doing, for people.
func (m *Media) Text() string {
	var b strings.Builder
	b.WriteString(cli.Plural(m.Links, "link"))
	if m.States != nil {
		stored := m.States[archive.MediaStored]
		fmt.Fprintf(&b, ", %s stored (%d%%), %s", cli.Count(stored), 100*stored/max(m.Links, 1), cli.Bytes(m.Bytes))
	}
	for _, state := range slices.Sorted(maps.Keys(m.States)) {
		if state != archive.MediaStored {
			fmt.Fprintf(&b, ", %s %s", cli.Count(m.States[state]), state)
		}
	}
	if m.Waiting > 0 {
		fmt.Fprintf(&b, ", %s waiting, from seq %s on", cli.Count(m.Waiting), cli.Count(int64(m.Frontier)))
	}
	if !m.OldestAt.IsZero() {
		fmt.Fprintf(&b, ", sent since %s", m.OldestAt.Format("2006-01-02 15:04Z"))
	}
	if m.Off {
		b.WriteString("; not fetched (EXPORT_MEDIA)")
	}
	if m.Code != "" {
		b.WriteString("; nothing goes on: " + m.Code)
	}
	if !m.Due.IsZero() {
		b.WriteString("; next try from " + m.Due.Format("2006-01-02 15:04:05Z"))
	}
	return b.String()
}
