package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/config"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/panics"
	"chatexport/scripts/internal/rights"
	"chatexport/scripts/internal/services"
)

const (
	writers = 8  // that race for one key
	rereads = 10 // objects that are looked for as soon as they are written

	documented = "100000000001" // the account that COS's documentation uses in examples
)

// askBucket asks what only a real bucket can answer. An error means that nothing else is worth asking.
func askBucket(ctx context.Context, r *report, c config.Config, credentials config.Credentials) error {
	store, err := services.Bucket(c, credentials)
	if err != nil {
		return err
	}
	defer store.CloseIdleConnections()
	if err := store.Preflight(ctx); err != nil {
		return err
	}
	// Every start has keys of its own: what an earlier one left would answer for this one.
	b := &bucket{report: r, store: store, folder: layout.SweepPrefix + "firstrun/" + time.Now().UTC().Format("20060102T150405Z-") + rand.Text()[:8] + "/"}
	b.missing(ctx)
	b.taken(ctx)
	b.race(ctx)
	b.reread(ctx)
	b.creation(ctx, "nothing could be archived", layout.DataPrefix, layout.ManifestPrefixRoot)
	if c.ExportMedia {
		b.creation(ctx, "no file could be archived", layout.MediaPrefixRoot, layout.BlobPrefix)
	}
	if c.ExportLook > 0 {
		b.creation(ctx, "nothing could be looked at again", layout.ChangePrefixRoot)
	}
	b.refusals(ctx)
	b.grant(ctx)
	return nil
}

type bucket struct {
	*report

	store  *cosstore.Store
	folder string
}

func write(text string) objstore.Write {
	return objstore.Write{Body: []byte(`{"written_by":"firstrun ` + text + `"}` + "\n"), ContentType: "application/json"}
}

// missing asks the two requests that an export begins with, of the keys and by the methods that the role may use.
func (b *bucket) missing(ctx context.Context) {
	_, _, err := b.store.Get(ctx, b.folder+"missing.json")
	b.absent(err, "What does a GET of a key say that does not exist?", "NoSuchKey", "a first export finds out that there is no archive yet.")
	_, err = b.store.Head(ctx, layout.Chunk(chat.Stream{GroupID: "firstrun-" + rand.Text()}, 1))
	b.absent(err, "What does a HEAD of a chunk say that does not exist?", "404", "a batch finds out where the chain of chunks ends.")
}

// absent grades the answer about a key that does not exist.
func (b *bucket) absent(err error, question, expected, means string) {
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		b.answer(asBuilt, question, expected, means)
	case errors.Is(err, objstore.ErrDenied):
		b.answer(wrong, question, err.Error(),
			"no export would ever begin. If the keys have the role's policy (go run ./scripts/deploy policy), the service does not tell a role that may not list missing from forbidden: grant name/cos:GetBucket on the bucket, too.")
	default:
		b.answer(wrong, question, fmt.Sprint(err), "nothing can be archived before this says "+expected+".")
	}
}

func (b *bucket) taken(ctx context.Context) {
	const question = "Is a create-only write to a taken key refused?"
	key := b.folder + "taken.json"
	if _, err := b.store.Create(ctx, key, write("first")); err != nil {
		b.answer(wrong, question, err.Error(), "the first write failed already: check the role's policy (go run ./scripts/deploy policy).")
		return
	}
	_, err := b.store.Create(ctx, key, write("second"))
	switch {
	case errors.Is(err, objstore.ErrExist):
		code := ""
		if e, ok := errors.AsType[*objstore.Error](err); ok {
			code = fmt.Sprintf("%d %s", e.Status, e.Code)
		}
		b.answer(asBuilt, question, "refused: "+code, "of two writers exactly one wins, which is all that the archive's safety rests on.")
	case err == nil:
		b.answer(wrong, question, "the object was overwritten", "create-only is void here: versioning, or an endpoint that is not COS itself. Do not archive into this bucket.")
	default:
		b.answer(wrong, question, err.Error(), "not the refusal that was expected: two writers might both fail, or both win.")
	}
}

func (b *bucket) race(ctx context.Context) {
	question := fmt.Sprintf("Of %d writers at the same moment, does exactly one win?", writers)
	errs := make([]error, writers)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			errs[i] = panics.Caught(func() error {
				_, err := b.store.Create(ctx, b.folder+"race.json", write(fmt.Sprint("writer ", i)))
				return err
			})
		})
	}
	all.Wait()
	won, refused := 0, 0
	var other error
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case errors.Is(err, objstore.ErrExist):
			refused++
		default:
			other = err
		}
	}
	seen := fmt.Sprintf("%d won, %d were refused", won, refused)
	switch {
	case won == 1 && other == nil:
		b.answer(asBuilt, question, seen, "create-only holds under concurrency, too.")
	case won > 1:
		b.answer(wrong, question, seen, "create-only is not atomic: two batches could both believe that their chunk is the stored one.")
	default:
		b.answer(look, question, fmt.Sprintf("%s; the others: %v", seen, other),
			"no two won, so nothing is unsafe; but refusals of another kind cost retries. Start this again.")
	}
}

func (b *bucket) reread(ctx context.Context) {
	// The role may not HEAD these keys; chunks, which it may, must not be written for a question.
	question := fmt.Sprintf("Are %d new objects there for a GET at once?", rereads)
	late := 0
	for i := range rereads {
		key := fmt.Sprintf("%sreread-%02d.json", b.folder, i)
		if _, err := b.store.Create(ctx, key, write("reread")); err != nil {
			b.answer(wrong, question, err.Error(), "a write failed.")
			return
		}
		_, _, err := b.store.Get(ctx, key)
		switch {
		case errors.Is(err, objstore.ErrNotExist):
			late++
		case err != nil:
			b.answer(wrong, question, err.Error(), "what was written cannot be read: check the role's policy (go run ./scripts/deploy policy).")
			return
		}
	}
	if late > 0 {
		b.answer(look, question, fmt.Sprintf("%d of %d reads came too early", late, rereads),
			"reads lag behind writes: batches ask again where that matters, but a continuation that comes quickly may do work twice.")
		return
	}
	b.answer(asBuilt, question, "all of them", "what was written is read back; a batch finds what its predecessor wrote.")
}

// creation asks where chunks and files go, and leaves none there.
func (b *bucket) creation(ctx context.Context, otherwise string, prefixes ...string) {
	for _, prefix := range prefixes {
		question := "May these keys create below " + prefix + "?"
		switch may, err := b.store.MayCreate(ctx, prefix); {
		case err != nil:
			b.answer(look, question, err.Error(), "not the answer that was expected: a wrong Content-MD5 should be told, or the right refused.")
		case !may:
			b.answer(wrong, question, "refused", otherwise+". If the keys have the role's policy, COS does not know the condition cos:x-cos-forbid-overwrite, or the bucket's own policy denies too much.")
		default:
			b.answer(asBuilt, question, "permitted, with the create-only header", "a batch can store what it pulled.")
		}
	}
}

// refusals asks for what nobody but an owner should be able to do. Nothing is done by it.
func (b *bucket) refusals(ctx context.Context) {
	for _, trial := range rights.Trials() {
		question := "May these keys " + trial.What + "?"
		switch may, err := trial.May(ctx, b.store); {
		case err != nil:
			b.answer(look, question, err.Error(), "neither permitted nor refused: nothing was learned.")
		case may:
			b.answer(look, question, "permitted", rights.Owner+". If these are the role's keys, or the bucket has a policy that names another owner, do not rely on it: a condition is not what COS judges by.")
		default:
			b.answer(asBuilt, question, "refused", "whoever steals these keys cannot do it either.")
		}
	}
}

// grant asks for what no policy can be written against by the documentation: COS names no condition for the header.
func (b *bucket) grant(ctx context.Context) {
	const question = "May these keys open a new object to another account?"
	switch may, err := b.store.MayGrant(ctx, layout.DataPrefix, documented); {
	case err != nil:
		b.answer(look, question, err.Error(), "nothing was learned.")
	case may:
		b.answer(look, question, "permitted", "no documented condition is about x-cos-grant-read: whoever holds these keys could show others what they write from now on, but nothing that is there.")
	default:
		b.answer(asBuilt, question, "refused", "what is written stays the bucket's.")
	}
}
