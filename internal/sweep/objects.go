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
	"time"

	"chatexport/internal/chain"
	"chatexport/internal/objstore"
)

const format = 1

// errObject means that an object of a sweep cannot be read. Everything in such objects is a hint, so what depends on it
// is done without.
var errObject = errors.New("not a readable object of a sweep")

// unreadable reports whether an object is there, but is nothing that this version understands, or not what was written.
func unreadable(err error) bool {
	return errors.Is(err, errObject) || errors.Is(err, objstore.ErrCorrupt)
}

// lost reports whether an object is unreadable, or not there: it is done without.
func lost(err error) bool { return unreadable(err) || errors.Is(err, objstore.ErrNotExist) }

// envelope is what every object of a sweep begins with.
type envelope struct {
	Format int    `json:"format"`
	Sweep  string `json:"sweep,omitempty"`
}

// check refuses an object of another format.
func (e envelope) check() error {
	if e.Format != format {
		return fmt.Errorf("%w: format %d, this version reads %d only", errObject, e.Format, format)
	}
	return nil
}

// shelf is the store as one batch sees it. Its errors name the key.
type shelf struct{ *objstore.Observed }

func (s *Sweeper) shelf() shelf { return shelf{objstore.Observe(s.Store, s.Writes)} }

// readJSON reads an object for people.
func (s shelf) readJSON(ctx context.Context, key string, into interface{ check() error }) error {
	body, _, err := s.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if err = json.Unmarshal(body, into); err != nil {
		err = fmt.Errorf("%w: %w", errObject, err)
	} else {
		err = into.check()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// encodeJSON builds an object for people to read, too.
func encodeJSON(value any) (objstore.Write, error) {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return objstore.Write{}, fmt.Errorf("encode object of the sweep: %w", err)
	}
	return objstore.Write{Body: append(raw, '\n'), ContentType: "application/json"}, nil
}

// createJSON writes an object for people, of which any that is there already will do.
func (s shelf) createJSON(ctx context.Context, key string, value any) error {
	w, err := encodeJSON(value)
	if err == nil {
		_, _, err = s.create(ctx, key, w)
	}
	return err
}

// create writes an object that must not exist yet. If one does that is not the very same, it is taken, and described. What a
// crash right after it means, each caller says.
func (s shelf) create(ctx context.Context, key string, w objstore.Write) (taken bool, there objstore.Object, err error) {
	_, err = chain.Create(ctx, s.Observed, key, w, func(ctx context.Context) error {
		var body []byte
		var err error
		body, there, err = s.Get(ctx, key)
		taken = err == nil && !bytes.Equal(body, w.Body) // else the answer to an earlier attempt was lost
		return err
	})
	if err != nil {
		err = fmt.Errorf("write %s: %w", key, err)
	}
	return taken, there, err
}

// header is the first line of an object of lines.
type header struct {
	envelope

	At     time.Time `json:"at,omitzero"`
	Last   bool      `json:"last,omitempty"`  // none of its kind comes behind it
	Listed listed    `json:"listed,omitzero"` // of a part of the listing
	Lane   progress  `json:"lane,omitzero"`   // of a result
}

// lines builds a gzipped object of JSON lines as they come. The header is known last: it is a gzip member of its own.
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
func (l *lines) close(h header) (objstore.Write, error) {
	var first bytes.Buffer
	err := errors.Join(l.err, l.zip.Close())
	l.zip.Reset(&first)
	if err = errors.Join(err, l.enc.Encode(h), l.zip.Close()); err != nil {
		return objstore.Write{}, fmt.Errorf("encode object of the sweep: %w", err)
	}
	return objstore.Write{Body: append(first.Bytes(), l.out.Bytes()...), ContentType: "application/gzip"}, nil
}

// openLines reads the header of what lines built, and returns its other lines. An error ends them.
func openLines[T any](body []byte) (h header, others iter.Seq2[T, error], err error) {
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return h, nil, fmt.Errorf("%w: %w", errObject, err)
	}
	dec := json.NewDecoder(zip)
	if err := dec.Decode(&h); err != nil {
		return h, nil, fmt.Errorf("%w: %w", errObject, err)
	}
	return h, func(yield func(T, error) bool) {
		for {
			var line T
			err := dec.Decode(&line)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				err = fmt.Errorf("%w: %w", errObject, err)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}, h.check()
}

// readLines reads an object of lines: its header at once, the others one by one.
func readLines[T any](ctx context.Context, s shelf, key string) (header, iter.Seq2[T, error], objstore.Object, error) {
	body, object, err := s.Get(ctx, key)
	if err != nil {
		return header{}, nil, object, fmt.Errorf("read %s: %w", key, err)
	}
	h, others, err := openLines[T](body)
	if err != nil {
		err = fmt.Errorf("%s: %w", key, err)
	}
	return h, others, object, err
}

// readPieces reads one object of lines after the other, numbered from 0, up to the last or the first that is not there. What is
// lost is done without, and missed is told. newest is the header of the newest that was read.
func readPieces[T any](
	ctx context.Context, s shelf, key func(n int) string, newest *header, missed func(key string, err error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for n := 0; ; n++ {
			h, others, _, err := readLines[T](ctx, s, key(n))
			if err == nil {
				*newest = h
				var line T
				for line, err = range others {
					if err == nil && !yield(line, nil) {
						return
					}
				}
			}
			if lost(err) {
				missed(key(n), err)
			} else if err != nil {
				var none T
				yield(none, err)
				return
			}
			if h.Last || errors.Is(err, objstore.ErrNotExist) {
				return
			}
		}
	}
}

// writePieces writes lines as they come, so many in an object; the last may be empty. Objects that are there already will
// do. What a crash right after each write means, the caller says.
func writePieces[T any](ctx context.Context, s shelf, id string, key func(n int) string, most int, all iter.Seq2[T, error]) error {
	piece, l := 0, newLines()
	flush := func(last bool) error {
		w, err := l.close(header{envelope: envelope{format, id}, Last: last})
		if err == nil {
			_, _, err = s.create(ctx, key(piece), w)
		}
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
