package verify_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// certified is a store with a sound archive, and what a certificate of it says, written and read back.
func certified(t *testing.T) (*builder, map[chat.Stream]verify.Certified) {
	t.Helper()
	store := newMemStore()
	b := sound(t, store, group())
	report := verified(t, store, verify.Options{})
	return b, certificate(t, &report)
}

func certificate(t *testing.T, report *verify.Report) map[chat.Stream]verify.Certified {
	t.Helper()
	body, err := json.Marshal(verify.Certificate{Format: 1, Level: verify.LevelRead, Streams: []verify.Certified{report.Certify()}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := verify.ParseCertificate(body)
	if err != nil {
		t.Fatal(err)
	}
	return map[chat.Stream]verify.Certified{report.Stream: c.Streams[0]}
}

// vanish deletes objects as somebody would who knows the format, the state included.
func (b *builder) vanish(objects ...string) {
	for key := range b.store.objects {
		if strings.HasPrefix(key, layout.StatePrefix) || slices.ContainsFunc(objects, func(o string) bool { return strings.HasPrefix(key, o) }) {
			delete(b.store.objects, key)
		}
	}
}

func TestCertificate_WhatGrewSinceIsStillThere(t *testing.T) {
	t.Parallel()
	for name, grow := range map[string]func(b *builder){
		"nothing":                    func(*builder) {},
		"chunks are listed, and new": func(b *builder) { b.chunkTo(120); b.Manifest(archive.StatusComplete); b.chunkTo(130); b.State(nil) },
		"without a state":            func(b *builder) { b.vanish() },
		"copied": func(b *builder) {
			b.vanish()
			for key, o := range b.store.objects {
				b.store.put(key, o.body, nil)
			}
		},
	} {
		b, against := certified(t)
		grow(b)
		report := verified(t, b.store, verify.Options{Level: verify.LevelChain, Against: against})
		if !report.Sound() {
			t.Errorf("%s: findings %v", name, report.Findings)
		}
	}
}

func TestCertificate_WhatVanishedIsFound(t *testing.T) {
	t.Parallel()
	at := func(lo chat.Seq) string { return layout.Chunk(group(), lo) }
	for name, tt := range map[string]struct {
		harm func(b *builder)
		keys []string // of the findings
	}{
		"everything": {
			func(b *builder) { b.vanish(layout.ChunkPrefix(group()), layout.ManifestPrefix(group())) }, []string{layout.Genesis(group())},
		},
		"the newest manifest and what it listed": {
			func(b *builder) { b.vanish(layout.Manifest(group(), 46), at(46), at(61), at(81), at(91)) },
			[]string{at(81), at(91), layout.Manifest(group(), 46)},
		},
		"the last chunk, which no manifest lists": {func(b *builder) { b.vanish(at(91)) }, []string{at(91)}},
		"a chunk for another that is as sound": {
			func(b *builder) {
				b.vanish()
				b.stand(91, archivetest.Chunk(b.t, group(), 91, 100, messages(b.t, 91, 98)...))
			},
			[]string{at(91)},
		},
		"the archive for one that was made anew": {
			func(b *builder) {
				b.vanish(layout.ChunkPrefix(group()), layout.ManifestPrefix(group()))
				again := build(b.t, b.store, group(), 1)
				again.Expired(20)
				again.chunkTo(100)
				again.Manifest(archive.StatusComplete)
			},
			[]string{at(81), at(91), layout.Manifest(group(), 1), layout.Manifest(group(), 46)},
		},
	} {
		b, against := certified(t)
		tt.harm(b)
		if !strings.HasPrefix(name, "everything") {
			if report := verified(t, b.store, verify.Options{}); !report.Sound() {
				t.Fatalf("%s: it is found without a certificate: %v", name, report.Findings)
			}
		}
		report := verified(t, b.store, verify.Options{Level: verify.LevelChain, Against: against})
		var keys []string
		for _, f := range report.Findings {
			keys = append(keys, f.Key)
		}
		slices.Sort(keys)
		if diff := cmp.Diff(tt.keys, keys); diff != "" || !slices.Equal(kinds(report.Findings), []verify.Kind{verify.KindVanished}) {
			t.Errorf("%s: %v (-want +got):\n%s", name, report.Findings, diff)
		}
	}
}

// Receipts that no manifest names yet are pinned by the last one.
func TestCertificate_ReceiptThatVanishedIsFound(t *testing.T) {
	t.Parallel()
	last := layout.Media(group(), 61)
	for name, tt := range map[string]struct {
		harm  func(b *builder)
		found bool
	}{
		"nothing vanished": {func(b *builder) { b.vanish() }, false},
		"the trail went on": {func(b *builder) {
			b.vanish()
			b.Manifest(archive.StatusComplete)
			b.Account(81, 90, linked(b.t, 81, 90)...)
		}, false},
		"the last receipt": {func(b *builder) { b.vanish(last) }, true},
		"the last receipt for another that is as sound": {
			func(b *builder) {
				b.vanish()
				b.again(61, func(m *archive.ReceiptMeta, _ []archive.MediaLine) { m.Writer = "another" })
			}, true,
		},
	} {
		store := newMemStore()
		b := filed(t, store, group())
		b.Account(61, 80, linked(t, 61, 80)...)
		first := verified(t, store, verify.Options{})
		against := certificate(t, &first)
		tt.harm(b)
		if report := verified(t, store, verify.Options{}); !report.Sound() {
			t.Fatalf("%s: it is found without a certificate: %v", name, report.Findings)
		}
		report := verified(t, store, verify.Options{Level: verify.LevelChain, Against: against})
		if report.Sound() == tt.found || tt.found && (report.Findings[0].Kind != verify.KindVanished || report.Findings[0].Key != last) {
			t.Errorf("%s: findings %v", name, report.Findings)
		}
	}
}

func TestCertificate_IsRefusedIfItProvesNothing(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		`{`:                            archive.ErrInvalid,
		`{"format":2,"level":"read"}`:  archive.ErrFormat,
		`{"format":1,"level":"chain"}`: archive.ErrInvalid,
		`{"format":1,"level":"read","streams":[{}]}`: archive.ErrInvalid,
		`{"format":1,"level":"read","streams":[{"group_id":"g","files":{"last_receipt":{"key":"media/gid=h/tid=-/0000000001.ndjson.gz"}}}]}`: archive.ErrInvalid,
		`{"format":1,"level":"read","streams":[{"group_id":"g","unlisted":[{"key":"data/gid=h/tid=-/0000000001.ndjson.gz"}]}]}`:              archive.ErrInvalid,
	} {
		if _, err := verify.ParseCertificate([]byte(body)); !errors.Is(err, want) {
			t.Errorf("%s: error %v", body, err)
		}
	}
}

func TestKnown_StreamThatVanishedIsFound(t *testing.T) {
	t.Parallel()
	whole := chat.Stream{GroupID: "whole"}
	cut := chat.Stream{GroupID: "cut"}
	gone := chat.Stream{GroupID: "gone"}
	unlisted := chat.Stream{GroupID: "the listing is behind"}
	store := newMemStore()
	for _, s := range []chat.Stream{whole, cut, unlisted} {
		sound(t, store, s)
	}
	(&builder{store: store}).vanish(layout.Chunk(cut, 91))
	hidden := map[string]memObject{}
	maps.Copy(hidden, store.objects)
	maps.DeleteFunc(hidden, func(key string, _ memObject) bool {
		return !strings.Contains(key, layout.ChunkPrefix(unlisted)[len("data/"):])
	})
	store.onList = func(prefix string) {
		for key := range hidden {
			delete(store.objects, key)
		}
		if strings.Contains(prefix, "gid=") {
			maps.Copy(store.objects, hidden)
		}
	}
	found := map[string][]verify.Kind{}
	known := map[chat.Stream]chat.Seq{whole: 91, cut: 101, gone: 51, unlisted: 101}
	summary, err := verify.Archive(t.Context(), store, verify.Options{Known: known}, func(r verify.Report) error {
		found[r.GroupID] = kinds(r.Findings)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]verify.Kind{
		"whole": nil, "cut": {verify.KindVanished}, "gone": {verify.KindVanished}, "the listing is behind": nil,
	}
	if diff := cmp.Diff(want, found); diff != "" || summary.Unsound != 2 {
		t.Errorf("%+v (-want +got):\n%s", summary, diff)
	}
}
