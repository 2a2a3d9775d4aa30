package verify_test

import (
	"bytes"
	"slices"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

func TestFaultsOfLinesAreFound(t *testing.T) {
	t.Parallel()
	findFaults(t, map[string]fault{
		"edited line, metadata corrected, in a listed chunk": {
			plant: func(b *builder) {
				b.rewrite(1, replace(`"m 2"`, `"M 2"`))
			},
			want:  []verify.Kind{verify.KindHash, verify.KindManifest},
			chain: []verify.Kind{verify.KindManifest},
		},
		"line of another group": {
			plant: func(b *builder) {
				b.rewrite(81, replace(`"GroupId":"@TGS#1"`, `"GroupId":"@TGS#2"`))
			},
			want: []verify.Kind{verify.KindLine},
		},
		"line without a group": {
			plant: func(b *builder) {
				b.rewrite(81, replace(`"GroupId":"@TGS#1",`, ``))
			},
			want: []verify.Kind{verify.KindLine},
		},
		"line that is not JSON": {
			plant: func(b *builder) {
				b.rewrite(81, replace(`{"GroupId"`, `["GroupId"`))
			},
			want: []verify.Kind{verify.KindLine},
		},
		"lines in the wrong order": {
			plant: func(b *builder) {
				b.rewrite(81, func(raw []byte) []byte {
					lines := slices.Collect(bytes.Lines(raw))
					lines[0], lines[1] = lines[1], lines[0]
					return bytes.Join(lines, nil)
				})
			},
			want: []verify.Kind{verify.KindOrder},
		},
		"line twice": {
			plant: func(b *builder) {
				b.rewrite(81, func(raw []byte) []byte {
					lines := slices.Collect(bytes.Lines(raw))
					return bytes.Join(append(lines[:1:1], lines...), nil)
				})
			},
			want: []verify.Kind{verify.KindOrder},
		},
		"line is lost": {
			plant: func(b *builder) {
				b.rewrite(81, func(raw []byte) []byte { return raw[bytes.IndexByte(raw, '\n')+1:] })
			},
			want: []verify.Kind{verify.KindCounts},
		},
		"class is miscounted": {
			plant: func(b *builder) {
				b.setMeta(81, "messages", "7")
				b.setMeta(81, "system", "0")
			},
			want: []verify.Kind{verify.KindCounts},
		},
		"classes do not sum up": {
			plant: func(b *builder) { b.setMeta(91, "absent", "4") },
			want:  []verify.Kind{verify.KindMetadata, verify.KindStateAhead},
			chain: []verify.Kind{verify.KindMetadata, verify.KindStateAhead},
		},
		"repaired lines that have nothing repaired": {
			plant: func(b *builder) { b.setMeta(81, "repaired", "1") },
			want:  []verify.Kind{verify.KindCounts},
		},
		"times are wrong": {
			plant: func(b *builder) { b.setMeta(81, "ts-min", "1") },
			want:  []verify.Kind{verify.KindCounts},
		},
	})
}

func TestFaultsOfManifestsGenesisAndStateAreFound(t *testing.T) {
	t.Parallel()
	manifest := func(lo chat.Seq) string { return layout.Manifest(group(), lo) }
	findFaults(t, map[string]fault{
		"manifest is edited": {
			plant: func(b *builder) {
				b.edit(manifest(1), b.members(func(m map[string]any) { m["head"] = 44 }))
			},
			want: []verify.Kind{verify.KindManifestChain}, chain: []verify.Kind{verify.KindManifestChain},
		},
		"newest manifest is edited": {
			plant: func(b *builder) {
				b.edit(manifest(46), b.members(func(m map[string]any) { m["run"] = "another" }))
			},
			want: []verify.Kind{verify.KindState}, chain: []verify.Kind{verify.KindState},
		},
		"manifest is missing": {
			plant: func(b *builder) { b.remove(manifest(1)) },
			want:  []verify.Kind{verify.KindManifestChain}, chain: []verify.Kind{verify.KindManifestChain},
		},
		"newest manifest is missing": {
			plant: func(b *builder) { b.remove(manifest(46)) },
			want:  []verify.Kind{verify.KindManifestChain}, chain: []verify.Kind{verify.KindManifestChain},
		},
		"all manifests are missing": {
			plant: func(b *builder) { b.remove(manifest(1)); b.remove(manifest(46)) },
			want:  []verify.Kind{verify.KindManifestChain}, chain: []verify.Kind{verify.KindManifestChain},
		},
		"newest manifest and all chunks behind the one before are missing": {
			plant: func(b *builder) {
				b.remove(manifest(46))
				for _, lo := range []chat.Seq{46, 61, 81, 91} {
					b.remove(layout.Chunk(group(), lo))
				}
			},
			want:  []verify.Kind{verify.KindManifestChain, verify.KindStateAhead},
			chain: []verify.Kind{verify.KindManifestChain, verify.KindStateAhead},
		},
		"state names a manifest that never was": {
			plant: func(b *builder) {
				b.state(func(s *archive.State) { s.ManifestAfter.Lo = 61 })
			},
			want: []verify.Kind{verify.KindManifestChain}, chain: []verify.Kind{verify.KindManifestChain},
		},
		"state of an empty archive names a manifest": {
			plant: func(b *builder) {
				b.state(func(s *archive.State) { s.Frontier, s.After = 0, 0 })
				for key := range b.store.objects {
					if key != layout.State(group()) {
						b.remove(key)
					}
				}
			},
			want: []verify.Kind{verify.KindManifestChain}, chain: []verify.Kind{verify.KindManifestChain},
		},
		"manifest is not JSON": {
			plant: func(b *builder) { b.store.put(manifest(46), []byte("{"), nil) },
			want:  []verify.Kind{verify.KindManifest}, chain: []verify.Kind{verify.KindManifest},
		},
		"manifest of another format": {
			plant: func(b *builder) {
				b.edit(manifest(46), b.members(func(m map[string]any) { m["format"] = 9 }))
			},
			want: []verify.Kind{verify.KindFormat}, chain: []verify.Kind{verify.KindFormat},
		},
		"manifest under another name": {
			plant: func(b *builder) {
				b.store.objects[manifest(50)] = b.store.objects[manifest(46)]
			},
			want: []verify.Kind{verify.KindManifestChain}, chain: []verify.Kind{verify.KindManifestChain},
		},
		"manifest of another app": {
			plant: func(b *builder) {
				b.edit(manifest(46), b.members(func(m map[string]any) { m["sdkappid"] = 7 }))
				b.state(func(s *archive.State) { s.ManifestAfter = nil })
			},
			want: []verify.Kind{verify.KindManifest}, chain: []verify.Kind{verify.KindManifest},
		},
		"genesis is missing": {
			plant: func(b *builder) { b.remove(layout.Genesis(group())) },
			want:  []verify.Kind{verify.KindGenesis}, chain: []verify.Kind{verify.KindGenesis},
		},
		"genesis is invalid": {
			plant: func(b *builder) {
				b.edit(layout.Genesis(group()), b.members(func(m map[string]any) { m["first_lo"] = 0 }))
			},
			want: []verify.Kind{verify.KindGenesis}, chain: []verify.Kind{verify.KindGenesis},
		},
		"genesis is another group's": {
			plant: func(b *builder) {
				b.edit(layout.Genesis(group()), b.members(func(m map[string]any) { m["group_id"] = "x" }))
			},
			want: []verify.Kind{verify.KindGenesis}, chain: []verify.Kind{verify.KindGenesis},
		},
		"genesis is edited": {
			plant: func(b *builder) {
				b.edit(layout.Genesis(group()), b.members(func(m map[string]any) { m["head"] = 7 }))
			},
			want: []verify.Kind{verify.KindManifestChain}, chain: []verify.Kind{verify.KindManifestChain},
		},
		"genesis is of another format": {
			plant: func(b *builder) {
				b.edit(layout.Genesis(group()), b.members(func(m map[string]any) { m["format"] = 2 }))
			},
			want: []verify.Kind{verify.KindFormat}, chain: []verify.Kind{verify.KindFormat},
		},
		"state is ahead": {
			plant: func(b *builder) {
				b.state(func(s *archive.State) { s.Frontier = 102 })
			},
			want: []verify.Kind{verify.KindStateAhead}, chain: []verify.Kind{verify.KindStateAhead},
		},
		"state names a chunk that is not there": {
			plant: func(b *builder) {
				b.state(func(s *archive.State) { s.After = 92 })
			},
			want: []verify.Kind{verify.KindState}, chain: []verify.Kind{verify.KindState},
		},
		"state contradicts its chunk": {
			plant: func(b *builder) {
				b.state(func(s *archive.State) { s.Frontier = 100 })
			},
			want: []verify.Kind{verify.KindState}, chain: []verify.Kind{verify.KindState},
		},
		"state is not JSON": {
			plant: func(b *builder) { b.store.put(layout.State(group()), []byte("?"), nil) },
			want:  []verify.Kind{verify.KindState}, chain: []verify.Kind{verify.KindState},
		},
	})
}
