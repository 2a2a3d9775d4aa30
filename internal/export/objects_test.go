package export_test

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

// verify proves that the archive is sound, whatever it holds.
func (s *scene) verify() verify.Report {
	s.Helper()
	report, err := verify.Stream(s.Context(), s.store, s.stream, verify.Options{SDKAppID: appID})
	s.must(err)
	for _, f := range report.Findings {
		s.Errorf("verify: %s", f)
	}
	return report
}

// exact is verify for an archive that holds exactly the messages that are retained, each once. Placeholders are no
// messages: whether and how they are archived is left to the verifier, which adds up the classes.
func (s *scene) exact() verify.Report {
	s.Helper()
	report := s.verify()
	if diff := s.compare(); !diff.Same() {
		s.Errorf("archive: %s", diff.String())
	}
	return report
}

// whole is exact for an archive that reaches up to the newest message, and is listed.
func (s *scene) whole() verify.Report {
	s.Helper()
	report := s.exact()
	if newest := s.newest(); max(report.Hi, report.Lo-1) != newest || report.Hi > 0 && report.ListedTo != newest || report.Status != archive.StatusComplete {
		s.Errorf("archived up to %d, listed up to %d, the newest message is %d; %q", report.Hi, report.ListedTo, newest, report.Status)
	}
	return report
}

// compare compares the archive with what is retained.
func (s *scene) compare() verify.Diff {
	s.Helper()
	truth, _, err := s.chat.Truth(s.stream)
	s.must(err)
	diff, err := verify.Compare(s.Context(), s.store, s.stream, func(yield func(chat.Seq, []byte) bool) {
		for r := range truth {
			if r.JSON != nil && r.Class != chat.ClassPlaceholder && !yield(r.Seq, r.JSON) {
				return
			}
		}
	})
	s.must(err)
	return diff
}

// read reads an object of the archive.
func read[T any](s *scene, key string, parse func([]byte) (T, error)) T {
	s.Helper()
	body, _, err := s.store.Get(s.Context(), key)
	s.must(err)
	parsed, err := parse(body)
	s.must(err)
	return parsed
}

func (s *scene) state() archive.State { return read(s, layout.State(s.stream), archive.ParseState) }
func (s *scene) genesis() archive.Genesis {
	return read(s, layout.Genesis(s.stream), archive.ParseGenesis)
}

func (s *scene) manifest(lo chat.Seq) archive.Manifest {
	return read(s, layout.Manifest(s.stream, lo), archive.ParseManifest)
}

func (s *scene) chunk(lo chat.Seq) archive.ChunkMeta {
	s.Helper()
	object, err := s.store.Head(s.Context(), layout.Chunk(s.stream, lo))
	s.must(err)
	meta, err := archive.ParseChunkMeta(object.Metadata)
	s.must(err)
	return meta
}

func (s *scene) setState(state archive.State) {
	s.Helper()
	body, err := state.Encode()
	s.must(err)
	s.put(layout.State(s.stream), objstore.Write{Body: body})
}

// put stores an object behind the engine's back, in place of what is there.
func (s *scene) put(key string, w objstore.Write) {
	s.Helper()
	s.tampers = true
	_, err := s.store.Overwrite(s.Context(), key, w)
	s.tampers = false
	s.must(err)
}

func (s *scene) lose(key string) {
	s.tampers = true
	s.store.Lose(key)
	s.tampers = false
}

// keys are the names of all write-once objects.
func (s *scene) keys() []string {
	s.Helper()
	var keys []string
	for entry, err := range s.store.List(s.Context(), "", "") {
		s.must(err)
		if !strings.HasPrefix(entry.Key, layout.StatePrefix) {
			keys = append(keys, entry.Key)
		}
	}
	return keys
}

func (s *scene) exists(key string) bool { return slices.Contains(s.keys(), key) }

// writesOnly proves that f leaves no other new objects behind but some. The store sees that none is changed or removed.
func (s *scene) writesOnly(f func(), keys ...string) {
	s.Helper()
	want := append(s.keys(), keys...)
	slices.Sort(want)
	f()
	if diff := cmp.Diff(want, s.keys()); diff != "" {
		s.Errorf("write-once objects (-want +got):\n%s", diff)
	}
}

// stands proves that ticks end with a verdict and a success, again and again, that the state tells it and what to do, and
// that nothing else is written or handed on.
func (s *scene) stands(status, code string) {
	s.Helper()
	advice := map[string]string{
		archive.StatusDamaged: "nothing was overwritten", archive.StatusGone: "what was archived is kept",
		archive.StatusRecreated: "give the new group another COS_PREFIX", archive.StatusMismatch: "COS_PREFIX",
		archive.StatusNoMetadata: "chatexport restore",
	}
	s.writesOnly(func() {
		for range 2 {
			s.done(export.Outcome(status), turn{})
			got := s.state()
			if got.Status != status || got.Error == nil || got.Error.Code != code || !strings.Contains(got.Error.Text, advice[status]) || got.Lease != nil {
				s.Errorf("state %+v, error %+v, want status %q, code %q and no lease", got, got.Error, status, code)
			}
		}
	})
	if len(s.queue) > 0 {
		s.Errorf("handed on: %v", s.queue)
	}
}
