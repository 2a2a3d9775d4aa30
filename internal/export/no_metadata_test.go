package export_test

import (
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// strip leaves of chunks what tools leave that mirror a bucket: they drop the metadata, and add some of their own. It
// returns the chunks as they were.
func (s *scene) strip(los ...chat.Seq) map[string]objstore.Write {
	s.Helper()
	had := map[string]objstore.Write{}
	for _, lo := range los {
		key := layout.Chunk(s.stream, lo)
		body, object, err := s.store.Get(s.Context(), key)
		s.must(err)
		had[key] = objstore.Write{Body: body, Metadata: object.Metadata}
		s.put(key, objstore.Write{Body: body, Metadata: map[string]string{"mtime": "1700000000.5"}})
	}
	return had
}

// Nothing is wrong with a copy; but where its chunks end, the engine cannot tell.
func TestNoMetadata_CopyIsNotContinued(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(s *scene) map[string]objstore.Write{
		"all of it": func(s *scene) map[string]objstore.Write { return s.strip(1, 51, 101) },
		"one chunk": func(s *scene) map[string]objstore.Write { return s.strip(101) },
		"chunks that no manifest lists, without a state": func(s *scene) map[string]objstore.Write {
			s.lose(layout.Manifest(s.stream, 1))
			s.lose(layout.State(s.stream))
			return s.strip(1, 51, 101)
		},
	} {
		archived(t, name, func(s *scene) {
			had := prepare(s)
			s.stands(archive.StatusNoMetadata, "no_metadata")
			for key, w := range had {
				s.put(key, w)
			}
			s.tick()
			s.whole()
		})
	}
}

// Whether it is a copy, only its bytes tell. A role need not be allowed to read them; a read that fails decides nothing.
func TestNoMetadata_OfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	archived(t, "denied", func(s *scene) {
		s.strip(101)
		s.done(archive.StatusNoMetadata, turn{before: at(memstore.OpGet, layout.Chunk(s.stream, 101), memstore.Fault{Err: objstore.ErrDenied})})
	})
	archived(t, "unavailable", func(s *scene) {
		s.strip(101)
		_, _ = s.fails(turn{before: at(memstore.OpGet, layout.Chunk(s.stream, 101), memstore.Fault{Err: objstore.ErrUnknown})})
		s.stands(archive.StatusNoMetadata, "no_metadata")
	})
}
