package archive_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

func TestGenesis_IsRefusedUnlessItCanBeTrue(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*archive.Genesis){
		"no app":         func(g *archive.Genesis) { g.SDKAppID = 0 },
		"no group":       func(g *archive.Genesis) { g.GroupID = "" },
		"topic -":        func(g *archive.Genesis) { g.TopicID = "-" },
		"created before": func(g *archive.Genesis) { g.CreateTime = -1 },
		"first_lo 0":     func(g *archive.Genesis) { g.FirstLo = 0 },
		"first_lo large": func(g *archive.Genesis) { g.FirstLo = chat.MaxSeq + 2 },
		"head -1":        func(g *archive.Genesis) { g.Head = -1 },
		"head large":     func(g *archive.Genesis) { g.Head = chat.MaxSeq + 1 },
		"no evidence":    func(g *archive.Genesis) { g.ExpiredBelow.Evidence = archive.EvidenceNone },
		"odd evidence":   func(g *archive.Genesis) { g.ExpiredBelow.Evidence = "" },
		"odd floor":      func(g *archive.Genesis) { g.ExpiredBelow.Seq = -1 },
		"odd probes":     func(g *archive.Genesis) { g.ExpiredBelow.Probes = -1 },
		"no time":        func(g *archive.Genesis) { g.CreatedAt = time.Time{} },
		"far future":     func(g *archive.Genesis) { g.CreatedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		g := genesis()
		change(&g)
		if _, err := g.Encode(); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestManifest_IsRefusedUnlessItAddsUp(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*archive.Manifest){
		"no app":              func(m *archive.Manifest) { m.SDKAppID = 0 },
		"other group":         func(m *archive.Manifest) { m.GroupID = "other" },
		"no chunks":           func(m *archive.Manifest) { m.SetChunks(nil) },
		"lo":                  func(m *archive.Manifest) { m.Lo-- },
		"hi":                  func(m *archive.Manifest) { m.Hi++ },
		"status":              func(m *archive.Manifest) { m.Status = archive.StatusRunning },
		"complete below head": func(m *archive.Manifest) { m.Head = 301 },
		"head":                func(m *archive.Manifest) { m.Head = -1 },
		"run":                 func(m *archive.Manifest) { m.Run = "" },
		"started":             func(m *archive.Manifest) { m.StartedAt = time.Time{} },
		"finished":            func(m *archive.Manifest) { m.FinishedAt = time.Time{} },
		"evidence":            func(m *archive.Manifest) { m.ExpiredBelow.Evidence = "" },
		"totals":              func(m *archive.Manifest) { m.Totals.Messages-- },
		"total chunks":        func(m *archive.Manifest) { m.Totals.Chunks++ },
		"total times":         func(m *archive.Manifest) { m.Totals.TsMax++ },
		"hole":                func(m *archive.Manifest) { m.Chunks[1].Lo++; m.Chunks[1].Messages--; m.Totals.Messages-- },
		"overlap":             func(m *archive.Manifest) { m.Chunks[0].Hi++; m.Chunks[0].Expired++; m.Totals.Expired++ },
		"order":               func(m *archive.Manifest) { slices.Reverse(m.Chunks) },
		"chunk sum":           func(m *archive.Manifest) { m.Chunks[1].Absent++; m.Totals.Absent++ },
		"chunk format":        func(m *archive.Manifest) { m.Chunks[1].Format = 2 },
		"chunk sha256":        func(m *archive.Manifest) { m.Chunks[1].SHA256 = "" },
		"chunk key":           func(m *archive.Manifest) { m.Chunks[1].Key = layout.Chunk(topic, 201) },
		"chunk bytes":         func(m *archive.Manifest) { m.Chunks[1].Bytes = 0; m.Totals.Bytes = 23 },
		"chunk crc64":         func(m *archive.Manifest) { m.Chunks[1].CRC64 = "07" },
		"no crc64":            func(m *archive.Manifest) { m.Chunks[1].CRC64 = "" },
		"huge crc64":          func(m *archive.Manifest) { m.Chunks[1].CRC64 = "18446744073709551616" },
		"previous none":       func(m *archive.Manifest) { m.Previous = archive.Link{} },
		"previous stream":     func(m *archive.Manifest) { m.Previous.Key = layout.Genesis(topic) },
		"previous kind":       func(m *archive.Manifest) { m.Previous.Key = layout.State(group) },
		"previous itself":     func(m *archive.Manifest) { m.Previous.Key = layout.Manifest(group, 101) },
		"trails reach it":     func(m *archive.Manifest) { m.Trails.Media.Lo = m.Lo },
		"trails sha256":       func(m *archive.Manifest) { m.Trails.Media.SHA256 = "x" },
		"previous sha256":     func(m *archive.Manifest) { m.Previous.SHA256 = "x" },
	} {
		m := manifest()
		change(&m)
		if _, err := m.Encode(); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	m := manifest()
	m.Status, m.Head, m.Previous.Key = archive.StatusPartial, 5000, layout.Manifest(group, 100)
	if _, err := m.Encode(); err != nil {
		t.Error(err)
	}
}

func TestManifest_ListsAtMost500Chunks(t *testing.T) {
	t.Parallel()
	var chunks []archive.ChunkEntry
	m := manifest()
	m.Trails = archive.Trails{}
	for i := range archive.MaxManifestChunks + 1 {
		lo := chat.Seq(1 + 10*i)
		chunks = append(chunks, archive.ChunkEntryOf(meta(lo, lo+9), layout.Chunk(group, lo), 900, 1<<64-1))
	}
	m.SetChunks(chunks)
	if _, err := m.Encode(); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("501 chunks: error is %v", err)
	}
	m.SetChunks(chunks[:archive.MaxManifestChunks])
	body, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > 1<<20 {
		t.Errorf("500 chunks take %d bytes", len(body))
	}
	if got, err := archive.ParseManifest(body); err != nil || got.Totals.Chunks != 500 || got.Hi != 5000 {
		t.Errorf("read back: %+v, %v", got.Totals, err)
	}
}

func TestState_IsRefusedUnlessItCanBeTrue(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*archive.State){
		"frontier":       func(s *archive.State) { s.Frontier = chat.MaxSeq + 2 },
		"after":          func(s *archive.State) { s.After = 301 },
		"after -1":       func(s *archive.State) { s.After = -1 },
		"head":           func(s *archive.State) { s.Head = -1 },
		"status":         func(s *archive.State) { s.Status = "" },
		"manifest lo":    func(s *archive.State) { s.ManifestAfter.Lo = 0 },
		"manifest hash":  func(s *archive.State) { s.ManifestAfter.SHA256 = "" },
		"error time":     func(s *archive.State) { s.Error.At = time.Time{} },
		"error frontier": func(s *archive.State) { s.Error.Frontier = -1 },
		"lease owner":    func(s *archive.State) { s.Lease.Owner = "" },
		"lease until":    func(s *archive.State) { s.Lease.Until = time.Time{} },
		"counter":        func(s *archive.State) { s.Counters.Calls = -1 },
		"count":          func(s *archive.State) { s.Counters.Messages = 1 << 60 },
		"updated":        func(s *archive.State) { s.UpdatedAt = time.Time{} },
	} {
		s := state()
		change(&s)
		if _, err := s.Encode(); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	for _, status := range []string{"running", "complete", "partial", "gone", "unsupported", "damaged", "mismatch", "recreated", "failed"} {
		bare := archive.State{Format: 1, Status: status, UpdatedAt: moment(0)}
		body, err := bare.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := archive.ParseState(body); err != nil || !cmp.Equal(got, bare) {
			t.Errorf("%s: %+v, %v", status, got, err)
		}
	}
}

func TestObject_ParseIsStrictOnTypes(t *testing.T) {
	t.Parallel()
	whole := golden(t, "genesis")
	for old, odd := range map[string]string{
		`"head": 5000`:              "\"head\": \"5000\"",
		`"first_lo": 101`:           `"first_lo": 101.0`,
		`"group_id": "@TGS#_a"`:     `"group_id": 7`,
		`"probes": 9`:               `"probes": true`,
		`"create_time": 1650000000`: `"create_time": 1e300`,
		`2026-11-22T08:30:01.25Z`:   `2026-11-22 08:30:01`,
		`08:30:01.25Z`:              `16:30:01.25+08:00`,
		`"created_at"`:              `"other_at"`,
		`"evidence": "finished"`:    `"evidence": null`,
		"}\n":                       "} {}",
	} {
		text := strings.Replace(whole, old, odd, 1)
		if i := strings.LastIndex(whole, old); old == "}\n" {
			text = whole[:i] + odd
		}
		if text == whole {
			t.Fatalf("%s is not in the text", old)
		}
		if _, err := archive.ParseGenesis([]byte(text)); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: error is %v", odd, err)
		}
	}
	if _, err := archive.ParseGenesis(fmt.Appendf(nil, "%s\n\n", whole)); err != nil {
		t.Errorf("white space at the end: %v", err)
	}
}
