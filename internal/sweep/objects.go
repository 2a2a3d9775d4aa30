package sweep

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"chatexport/internal/objstore"
)

const (
	format = 1

	contentJSON = "application/json"
	contentGzip = "application/gzip"
)

// errObject means that an object of a sweep cannot be read. Everything in such objects is a hint, so what depends on it
// is done without.
var errObject = errors.New("not a readable object of a sweep")

// unreadable reports whether an object is there, but is nothing that this version understands, or not what was written.
func unreadable(err error) bool {
	return errors.Is(err, errObject) || errors.Is(err, objstore.ErrCorrupt) || errors.Is(err, objstore.ErrTooLarge)
}

// lost reports whether an object is unreadable, or not there: it is done without.
func lost(err error) bool { return unreadable(err) || errors.Is(err, objstore.ErrNotExist) }

// envelope is what every object of a sweep begins with.
type envelope struct {
	Format int    `json:"format"`
	Sweep  string `json:"sweep,omitempty"`
}

func (e envelope) formatOf() int { return e.Format }

// decode reads the next value of an object, and refuses one of another format.
func decode(dec *json.Decoder, into any) error {
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errObject, err)
	}
	if f, ok := into.(interface{ formatOf() int }); ok && f.formatOf() != format {
		return fmt.Errorf("%w: format %d, this version reads %d only", errObject, f.formatOf(), format)
	}
	return nil
}

// encodeJSON builds an object for people to read, too.
func encodeJSON(value any) (objstore.Write, error) {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return objstore.Write{}, fmt.Errorf("encode object of the sweep: %w", err)
	}
	return objstore.Write{Body: append(raw, '\n'), ContentType: contentJSON}, nil
}

// lines builds a gzipped object of JSON lines as they come. The first is the header, which is known last: it is a gzip
// member of its own.
type lines struct {
	out bytes.Buffer
	zip *gzip.Writer
	enc *json.Encoder
	n   int
	err error
}

func newLines() *lines {
	l := &lines{}
	l.zip = gzip.NewWriter(&l.out)
	l.enc = json.NewEncoder(l.zip)
	l.enc.SetEscapeHTML(false)
	return l
}

func (l *lines) add(line any) {
	l.n++
	if l.err == nil {
		l.err = l.enc.Encode(line)
	}
}

// close returns the object with its header.
func (l *lines) close(header any) (objstore.Write, error) {
	var first bytes.Buffer
	err := errors.Join(l.err, l.zip.Close())
	l.zip.Reset(&first)
	if err = errors.Join(err, l.enc.Encode(header), l.zip.Close()); err != nil {
		return objstore.Write{}, fmt.Errorf("encode object of the sweep: %w", err)
	}
	return objstore.Write{Body: append(first.Bytes(), l.out.Bytes()...), ContentType: contentGzip}, nil
}

// openLines reads the header of what lines built, and returns its other lines. An error ends them.
func openLines[T any](body []byte, header any) (iter.Seq2[T, error], error) {
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errObject, err)
	}
	dec := json.NewDecoder(zip)
	if err := decode(dec, header); err != nil {
		return nil, err
	}
	return func(yield func(T, error) bool) {
		for {
			var line T
			err := decode(dec, &line)
			if errors.Is(err, io.EOF) || !yield(line, err) || err != nil {
				return
			}
		}
	}, nil
}

// shelf is the store as one batch sees it. Its errors name the key.
type shelf struct{ *objstore.Observed }

func (s *Sweeper) shelf() shelf { return shelf{objstore.Observe(s.Store, s.Writes)} }

func (s shelf) read(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	body, object, err := s.Get(ctx, key)
	if err != nil {
		return nil, object, fmt.Errorf("read %s: %w", key, err)
	}
	return body, object, nil
}

func (s shelf) readJSON(ctx context.Context, key string, into any) error {
	body, _, err := s.read(ctx, key)
	if err == nil {
		if err = decode(json.NewDecoder(bytes.NewReader(body)), into); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return err
}

// readLines reads an object of lines: its header at once, the others one by one. The errors of lines name no key.
func readLines[T any](ctx context.Context, s shelf, key string, header any) (iter.Seq2[T, error], error) {
	body, _, err := s.read(ctx, key)
	if err != nil {
		return nil, err
	}
	others, err := openLines[T](body, header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return others, nil
}

// create writes an object that must not exist yet. If it does, perhaps by this very write, taken is what is there. What
// a crash right after it means, each caller says.
func (s shelf) create(ctx context.Context, key string, w objstore.Write) (taken []byte, object objstore.Object, err error) {
	object, err = s.Create(ctx, key, w)
	if errors.Is(err, objstore.ErrExist) || errors.Is(err, objstore.ErrUnknown) {
		taken, object, err = s.Get(ctx, key)
		if err == nil && bytes.Equal(taken, w.Body) {
			return nil, object, nil // the answer to an earlier attempt was lost
		}
	}
	if err != nil {
		return nil, object, fmt.Errorf("write %s: %w", key, err)
	}
	return taken, object, nil
}

// createLines writes an object of lines, of which any that is there already will do.
func (s shelf) createLines(ctx context.Context, key string, l *lines, header any) error {
	w, err := l.close(header)
	if err == nil {
		_, _, err = s.create(ctx, key, w)
	}
	return err
}

// pieceHeader is the first line of an object that is one of several.
type pieceHeader struct {
	envelope

	Piece int  `json:"piece"`
	Last  bool `json:"last,omitempty"`
}

// writePieces writes lines as they come, so many in an object; the last may be empty. Objects that are there already will
// do. What a crash right after each write means, the caller says.
func writePieces[T any](ctx context.Context, s shelf, id string, key func(piece int) string, most int, all iter.Seq2[T, error]) error {
	piece, l := 0, newLines()
	flush := func(last bool) error {
		err := s.createLines(ctx, key(piece), l, pieceHeader{envelope{format, id}, piece, last})
		piece, l = piece+1, newLines()
		return err
	}
	for line, err := range all {
		if err == nil && l.n == most {
			err = flush(false)
		}
		if err != nil {
			return err
		}
		l.add(line)
	}
	return flush(true)
}

// createJSON is createLines for an object without lines.
func (s shelf) createJSON(ctx context.Context, key string, value any) error {
	w, err := encodeJSON(value)
	if err == nil {
		_, _, err = s.create(ctx, key, w)
	}
	return err
}

// overwriteJSON writes a hint.
func (s shelf) overwriteJSON(ctx context.Context, key string, value any) error {
	w, err := encodeJSON(value)
	if err != nil {
		return err
	}
	if _, err := s.Overwrite(ctx, key, w); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}
