package verify_test

import (
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

func TestFault_OfManifestsGenesisAndStateIsFound(t *testing.T) {
	t.Parallel()
	manifest := func(lo chat.Seq) string { return layout.Manifest(group(), lo) }
	findFaults(t, map[string]fault{
		"manifest is edited":         seen(func(b *builder) { b.set(manifest(1), "head", 44) }, verify.KindManifestChain),
		"newest manifest is edited":  seen(func(b *builder) { b.set(manifest(46), "run", "another") }, verify.KindState),
		"manifest is missing":        seen(func(b *builder) { b.remove(manifest(1)) }, verify.KindManifestChain),
		"newest manifest is missing": seen(func(b *builder) { b.remove(manifest(46)) }, verify.KindManifestChain),
		"all manifests are missing":  seen(func(b *builder) { b.remove(manifest(1)); b.remove(manifest(46)) }, verify.KindManifestChain),
		"newest manifest and all chunks behind the one before are missing": seen(func(b *builder) {
			b.remove(manifest(46))
			for _, lo := range []chat.Seq{46, 61, 81, 91} {
				b.remove(layout.Chunk(group(), lo))
			}
		}, verify.KindManifestChain, verify.KindStateAhead),
		"state names a manifest that never was": seen(func(b *builder) { b.State(func(s *archive.State) { s.ManifestAfter.Lo = 61 }) }, verify.KindManifestChain),
		"state of an empty archive names a manifest": seen(func(b *builder) {
			b.State(func(s *archive.State) { s.Frontier, s.After = 0, 0 })
			for key := range b.store.objects {
				if key != layout.State(group()) {
					b.remove(key)
				}
			}
		}, verify.KindManifestChain),
		"manifest is not JSON":        seen(func(b *builder) { b.store.put(manifest(46), []byte("{"), nil) }, verify.KindManifest),
		"manifest of another format":  seen(func(b *builder) { b.set(manifest(46), "format", 9) }, verify.KindFormat),
		"manifest under another name": seen(func(b *builder) { b.store.objects[manifest(50)] = b.store.objects[manifest(46)] }, verify.KindManifestChain),
		"manifest of another app": seen(func(b *builder) {
			b.set(manifest(46), "sdkappid", 7)
			b.State(func(s *archive.State) { s.ManifestAfter = nil })
		}, verify.KindManifest),
		"genesis is missing":                    seen(func(b *builder) { b.remove(layout.Genesis(group())) }, verify.KindGenesis),
		"genesis is invalid":                    seen(func(b *builder) { b.set(layout.Genesis(group()), "first_lo", 0) }, verify.KindGenesis),
		"genesis is another group's":            seen(func(b *builder) { b.set(layout.Genesis(group()), "group_id", "x") }, verify.KindGenesis),
		"genesis is edited":                     seen(func(b *builder) { b.set(layout.Genesis(group()), "head", 7) }, verify.KindManifestChain),
		"genesis is of another format":          seen(func(b *builder) { b.set(layout.Genesis(group()), "format", 2) }, verify.KindFormat),
		"state is ahead":                        seen(func(b *builder) { b.State(func(s *archive.State) { s.Frontier = 102 }) }, verify.KindStateAhead),
		"state names a chunk that is not there": seen(func(b *builder) { b.State(func(s *archive.State) { s.After = 92 }) }, verify.KindState),
		"state contradicts its chunk":           seen(func(b *builder) { b.State(func(s *archive.State) { s.Frontier = 100 }) }, verify.KindState),
		"state is not JSON":                     seen(func(b *builder) { b.store.put(layout.State(group()), []byte("?"), nil) }, verify.KindState),
	})
}
