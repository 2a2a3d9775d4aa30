package repair

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/putback"
)

// repairWriter names this command in the chunks that it writes where nothing says which there was.
const repairWriter = "repair"

// chunk mends the chunk that begins at lo.
func (p *patient) chunk(ctx context.Context, key string, lo chat.Seq) error {
	there, body, err := p.there(ctx, key)
	if err != nil {
		return err
	}
	entry, ok := p.listed[lo]
	switch {
	case ok && there && archive.SHA256(body) == entry.SHA256:
		p.add(key, RemoveFirst, "its bytes are right, and what the store keeps beside them is not (%s): whoever may mirrors it, removes it, and has it put back by chatexport restore", p.faults[key])
		return nil
	case ok:
		return p.again(ctx, &entry, there)
	case there:
		p.add(key, RemoveFirst, "%s, and no manifest lists it: whoever may removes it; what no other chunk covers is then pulled again by repair, or by the next run, as far as it is still stored", p.faults[key])
		return nil
	}
	return p.gap(ctx, key, lo)
}

// there reads what stands under a key, damaged or not.
func (p *patient) there(ctx context.Context, key string) (bool, []byte, error) {
	body, _, err := p.store.Get(ctx, key)
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return false, nil, nil
	case errors.Is(err, objstore.ErrCorrupt):
		return true, body, nil
	default:
		return true, body, err
	}
}

// again makes a listed chunk again, and puts it back if it is the one that is listed, to the byte.
func (p *patient) again(ctx context.Context, entry *listed, there bool) error {
	made, why, err := p.remake(ctx, entry.ChunkMeta)
	if err != nil {
		return err
	}
	if why == "" {
		why = differs(entry, &made)
	}
	if why != "" {
		first := ""
		if there {
			first = ", once whoever may has removed this one"
		}
		p.add(entry.Key, NotMended, "%s; it is not made again: %s. If there is a copy, chatexport restore puts it back%s", p.faults[entry.Key], why, first)
		return nil
	}
	if there {
		p.add(entry.Key, RemoveFirst, "%s; its %s came again exactly as listed: whoever may removes it, and repair puts them back, as long as they are stored",
			p.faults[entry.Key], cli.Plural(entry.Lines(), "line"))
		return nil
	}
	place, err := putback.Chunk(&entry.ChunkEntry)
	if err != nil {
		return err
	}
	return p.put(ctx, place, made.Body, fmt.Sprintf("%s, pulled again, are exactly what its manifest lists", cli.Plural(entry.Lines(), "line")))
}

// put writes what was made, or would.
func (p *patient) put(ctx context.Context, place putback.Place, body []byte, text string) error {
	if p.dryRun {
		p.did(place.Key, "%s", text)
		return nil
	}
	// A crash right after this: it is there, and the next repair finds nothing wrong with it.
	switch _, now, err := place.Put(ctx, p.engine, body); {
	case err != nil:
		return err
	case now != putback.Same:
		p.add(place.Key, NotMended, "something else was written there meanwhile; start again")
	default:
		p.did(place.Key, "%s", text)
	}
	return nil
}

// remake makes the chunk that the description is of. It says why where that cannot be tried.
func (p *patient) remake(ctx context.Context, meta archive.ChunkMeta) (chunk archive.Chunk, why string, err error) {
	if meta.Expired > 0 {
		chunk, err = archive.NewExpiredChunk(p.stream, meta.Lo, meta.Hi, meta.Evidence, meta.Run, meta.RequestID, meta.Writer)
		return chunk, "", err
	}
	if p.source == nil {
		return chunk, "no app is configured (CHAT_SDKAPPID, CHAT_SECRET_KEY) from which to pull its messages", nil
	}
	w := archive.NewChunkWriter(p.stream, meta.Lo)
	segments := p.reader().Segments(ctx, meta.Lo, meta.Hi, func() bool { return false })
	defer segments.Stop()
	for {
		segment, ok, err := segments.Next()
		switch {
		case errors.Is(err, chat.ErrGone), errors.Is(err, chat.ErrUnsupported):
			return chunk, err.Error(), nil
		case err != nil:
			return chunk, "", fmt.Errorf("pull %d to %d again: %w", meta.Lo, meta.Hi, err)
		case !ok:
			chunk, err = w.Close(meta.Run, meta.RequestID, meta.Writer)
			return chunk, "", err
		}
		if err := w.Append(segment.Hi, segment.Elements); err != nil {
			return chunk, "", err
		}
	}
}

// differs says what of a chunk that was made again is not as listed, nothing if it is the same to the byte.
func differs(want *listed, got *archive.Chunk) string {
	switch {
	case got.Meta.SHA256 == want.SHA256:
		return ""
	case got.Meta.RawSHA256 == want.RawSHA256:
		return "its lines came again exactly, but this build compresses them to other bytes; repair with the build that wrote them, " + want.build
	case got.Meta.Counts == want.Counts:
		return "as many messages came again, but some were edited since"
	}
	return fmt.Sprintf("listed are %s, and now there are %s", classes(&want.Counts), classes(&got.Meta.Counts))
}

func classes(c *archive.Counts) string {
	var parts []string
	for _, class := range []struct {
		n    int64
		name string
	}{{c.Messages, "messages"}, {c.System, "system"}, {c.Recalled, "recalled"}, {c.Placeholders, "placeholders"}, {c.Malformed, "malformed"}, {c.Absent, "absent"}} {
		if class.n > 0 {
			parts = append(parts, cli.Count(class.n)+" "+class.name)
		}
	}
	return strings.Join(parts, ", ")
}

// gapEnd returns where the range ends that began at lo: below the next chunk. It is 0 if there is none.
func (p *patient) gapEnd(ctx context.Context, key string) (chat.Seq, error) {
	for entry, err := range p.store.List(ctx, layout.ChunkPrefix(p.stream), key) {
		if err != nil {
			return 0, err
		}
		if name, err := layout.Parse(entry.Key); err == nil {
			return name.Lo - 1, nil
		}
	}
	return 0, nil
}

// gap fills a hole among chunks that no manifest lists yet. Nothing says which bytes were there, so what is put there is
// what a run would put, had it come this far only now: a run itself could not tell where to stop.
func (p *patient) gap(ctx context.Context, key string, lo chat.Seq) error {
	hi, err := p.gapEnd(ctx, key)
	if err != nil {
		return err
	}
	if hi == 0 {
		p.add(key, Mendable, "is missing, and there is nothing behind it: the next run pulls it")
		return nil
	}
	why, err := p.another(ctx)
	if err != nil {
		return err
	}
	for run := archive.NewRunID(time.Now()); lo <= hi && why == ""; {
		var made archive.Chunk
		meta := archive.ChunkMeta{Lo: lo, Hi: min(hi, lo+p.span-1), Run: run, RequestID: repairWriter, Writer: repairWriter}
		if made, why, err = p.remake(ctx, meta); err != nil {
			return err
		}
		if why == "" && made.Meta.Lines() == 0 {
			why = "nothing of it is stored any more"
		}
		if why != "" {
			break
		}
		entry := archive.ChunkEntryOf(made.Meta, layout.Chunk(p.stream, lo), int64(len(made.Body)), archive.CRC64(made.Body))
		place, err := putback.Chunk(&entry)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%d to %d, which no manifest lists, pulled anew: %s", lo, meta.Hi, classes(&made.Meta.Counts))
		if err := p.put(ctx, place, made.Body, text); err != nil {
			return err
		}
		lo = meta.Hi + 1
	}
	if why != "" {
		p.add(layout.Chunk(p.stream, lo), NotMended, "is missing, no manifest lists it, and it is not pulled again: %s. If there is a copy, chatexport restore puts it back", why)
	}
	return nil
}

// another says why the group is not sure to be the archived one, where nothing else would show it.
func (p *patient) another(ctx context.Context) (why string, err error) {
	if p.source == nil || p.genesis.CreateTime == 0 {
		return "", nil
	}
	var facts chat.Facts
	err = p.caller.Call(ctx, func(ctx context.Context) (err error) {
		facts, err = p.source.Group(ctx, p.stream)
		return err
	})
	switch {
	case errors.Is(err, chat.ErrGone), errors.Is(err, chat.ErrUnsupported):
		return err.Error(), nil
	case err != nil:
		return "", err
	case facts.CreateTime != p.genesis.CreateTime:
		return fmt.Sprintf("the group was created at %d, the archived one at %d", facts.CreateTime, p.genesis.CreateTime), nil
	default:
		return "", nil
	}
}
