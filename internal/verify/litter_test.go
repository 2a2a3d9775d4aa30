package verify_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

func TestLitter_IsAWarningUnlessReadersTakeIt(t *testing.T) {
	t.Parallel()
	chunks, manifests := layout.ChunkPrefix(group()), layout.ManifestPrefix(group())
	litter := []string{
		"data/.DS_Store", "data/gid=.40TGS.231/Thumbs.db", "state/.DS_Store", "state/gid=.40TGS.231/tid=-/desktop.ini",
		chunks + ".DS_Store", chunks + "._0000000021.ndjson.gz.part", chunks + "Thumbs.db", manifests + ".sync/index", manifests + "desktop.ini",
	}
	foreign := []string{
		chunks + "0000000001 (1).ndjson.gz", chunks + "._0000000001.ndjson.gz", chunks + "0000000001.ndjson.gz.bak",
		manifests + "0000000001 (1).json", "data/gid=.40TGS.231/thumbs",
	}
	store := newMemStore()
	sound(t, store, group())
	alone := chat.Stream{GroupID: "deleted"}
	for _, key := range slices.Concat(litter, foreign, []string{layout.ChunkPrefix(alone) + ".DS_Store"}) {
		store.put(key, nil, nil)
	}
	var found, warned []verify.Finding
	summary, err := verify.Archive(t.Context(), store, verify.Options{}, func(r verify.Report) error {
		found, warned = append(found, r.Findings...), append(warned, r.Warnings[1:]...) // the first is of the end, where seq 100 is absent
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if summary.Streams != 1 {
		t.Errorf("%d streams: litter alone is none", summary.Streams)
	}
	for what, lists := range map[string]struct {
		want []string
		got  []verify.Finding
	}{"findings": {foreign, append(found, summary.Findings...)}, "warnings": {litter, append(warned, summary.Warnings...)}} {
		var keys []string
		for _, f := range lists.got {
			keys = append(keys, f.Key)
		}
		slices.Sort(keys)
		slices.Sort(lists.want)
		if diff := cmp.Diff(lists.want, keys); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}
