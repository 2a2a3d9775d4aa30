package doctor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
	"chatexport/scripts/internal/rights"
	"chatexport/scripts/internal/services"
)

const (
	maxSkew  = 10 * time.Minute // COS refuses requests signed 15 minutes off
	fineSkew = 30 * time.Second

	rolePolicy = "give the function's role the policy that `go run ./scripts/deploy policy` prints, no less and no more"
)

// bucket checks the store with the function's own adapter.
func (e *examination) bucket(ctx context.Context, v footing) {
	if !v.cos {
		for _, name := range []string{"COS bucket", "COS versioning", "COS reading", "COS create-only", "COS files", "COS looks", "COS listing", "COS refusals", "clock"} {
			e.add(skipped, name, "the variables above come first", "")
		}
		return
	}
	store, err := services.Bucket(v.config, v.credentials)
	if err != nil {
		e.add(failed, "COS bucket", err.Error(), "")
		return
	}
	defer store.CloseIdleConnections()
	if e.preflight(ctx, store, v) {
		e.reading(ctx, store)
		e.createOnly(ctx, store)
		nobody := chat.Stream{GroupID: "never-" + rand.Text()}
		e.trail(ctx, store, trail{
			name: "COS files", variable: "EXPORT_MEDIA", on: v.config.ExportMedia, stream: nobody,
			keys: []string{layout.Media(nobody, 1), layout.Blob(hex.EncodeToString([]byte(rand.Text())))}, well: "chunks can be read, receipts and files created",
		})
		e.trail(ctx, store, trail{
			name: "COS looks", variable: "EXPORT_LOOK", on: v.config.ExportLook > 0, stream: nobody,
			keys: []string{layout.Change(nobody, 1)}, well: "chunks can be read, receipts created",
		})
		e.listing(ctx, store)
		e.refusals(ctx, store, v.credentials.Token.Empty())
	}
}

// preflight reports whether it is any use to go on.
func (e *examination) preflight(ctx context.Context, store *cosstore.Store, v footing) bool {
	err := store.Preflight(ctx)
	switch {
	case errors.Is(err, objstore.ErrVersioned):
		e.add(ok, "COS bucket", v.config.COSBucket+" exists", "")
		e.add(failed, "COS versioning", err.Error(), "")
	case err != nil:
		e.add(failed, "COS bucket", err.Error(), "")
		e.add(skipped, "COS versioning", "not known", "")
	default:
		e.add(ok, "COS bucket", v.config.COSBucket+" exists", "")
		e.add(ok, "COS versioning", "was never enabled", "")
		return true
	}
	for _, name := range []string{"COS reading", "COS create-only", "COS files", "COS looks", "COS listing", "COS refusals"} {
		e.add(skipped, name, "the bucket comes first", "")
	}
	e.clockOf(err)
	return false
}

// clockOf takes the store's clock from a failure.
func (e *examination) clockOf(err error) {
	failure, found := errors.AsType[*objstore.Error](err)
	if !found || failure.Date.IsZero() {
		e.add(skipped, "clock", "COS did not tell its time", "")
		return
	}
	e.clock(failure.Date)
}

func (e *examination) reading(ctx context.Context, store *cosstore.Store) {
	_, object, err := store.Get(ctx, layout.Probe())
	switch {
	case err == nil:
		e.add(ok, "COS reading", "permitted", "")
		e.clock(object.Date)
	case errors.Is(err, objstore.ErrNotExist):
		e.add(ok, "COS reading", "permitted", "")
		e.clockOf(err)
	default:
		e.add(failed, "COS reading", err.Error(), rolePolicy)
		e.clockOf(err)
	}
}

// clock compares this machine's clock with the store's.
func (e *examination) clock(theirs time.Time) {
	skew := e.now().Sub(theirs).Round(time.Second)
	text := fmt.Sprintf("differs from that of COS by %s", skew.Abs())
	switch {
	case skew.Abs() > maxSkew:
		e.add(failed, "clock", text, "set this machine's clock: signatures depend on it")
	case skew.Abs() > fineSkew:
		e.add(warning, "clock", text, "set this machine's clock: signatures depend on it")
	default:
		e.add(ok, "clock", text, "")
	}
}

// createOnly proves on the bucket itself that a key that is taken is refused: all of the archive's safety rests on it.
func (e *examination) createOnly(ctx context.Context, store *cosstore.Store) {
	const name = "COS create-only"
	w := objstore.Write{
		Body: []byte("{\"format\":1,\"what\":\"written by chatexport doctor to try create-only writes\"}\n"), ContentType: "application/json",
	}
	// A crash right after this leaves the probe's object, as a success does.
	if _, err := store.Create(ctx, layout.Probe(), w); err != nil && !errors.Is(err, objstore.ErrExist) {
		advice := ""
		if errors.Is(err, objstore.ErrDenied) {
			advice = rolePolicy
		}
		e.add(failed, name, err.Error(), advice)
		return
	}
	_, err := store.Create(ctx, layout.Probe(), w)
	switch {
	case errors.Is(err, objstore.ErrExist):
		e.creation(ctx, store)
	case err == nil:
		e.add(failed, name, "a taken key was overwritten although that was forbidden",
			"COS_ENDPOINT must be COS itself, and versioning must never have been enabled; do not archive here")
	default:
		e.add(failed, name, err.Error(), "")
	}
}

// creation tries the same where chunks go, without leaving one.
func (e *examination) creation(ctx context.Context, store *cosstore.Store) {
	const name = "COS create-only"
	switch may, err := store.MayCreate(ctx, layout.DataPrefix); {
	case err != nil:
		e.add(warning, name, "a taken key is refused; whether a chunk can be created is not known: "+err.Error(), "")
	case !may:
		e.add(failed, name, "no object may be created below "+layout.DataPrefix, rolePolicy+", and look at the bucket's own policy")
	default:
		e.add(ok, name, "a taken key is refused", "")
	}
}

// trail is something that follows the chunks.
type trail struct {
	name     string      // of the check
	variable string      // that switches it
	on       bool        // it is not off
	stream   chat.Stream // that nobody has
	keys     []string    // of objects that it might have, one below each prefix
	well     string      // what is permitted
}

// trail tries what the function does to follow the chunks: to read them, to look for receipts and files, and to create them.
func (e *examination) trail(ctx context.Context, store *cosstore.Store, t trail) {
	if !t.on {
		e.add(skipped, t.name, t.variable+" is off", "")
		return
	}
	_, _, err := store.Get(ctx, layout.Chunk(t.stream, 1))
	refused, unknown := refusal("reading chunks", err)
	for _, key := range t.keys {
		root, _, _ := strings.Cut(key, "/")
		_, err := store.Head(ctx, key)
		no, failure := refusal("looking below "+root+"/", err)
		refused, unknown = append(refused, no...), errors.Join(unknown, failure)
		may, err := store.MayCreate(ctx, root+"/")
		if unknown = errors.Join(unknown, err); err == nil && !may {
			refused = append(refused, "creating below "+root+"/")
		}
	}
	switch {
	case len(refused) > 0:
		e.add(failed, t.name, "refused: "+strings.Join(refused, ", "), rolePolicy+", or set "+t.variable+" to off")
	case unknown != nil:
		e.add(warning, t.name, "whether that is permitted is not known: "+unknown.Error(), "")
	default:
		e.add(ok, t.name, t.well, "")
	}
}

// refusal judges the answer about an object that does not exist.
func refusal(what string, err error) (refused []string, unknown error) {
	switch {
	case errors.Is(err, objstore.ErrDenied):
		return []string{what}, nil
	case errors.Is(err, objstore.ErrNotExist):
		return nil, nil
	default:
		return nil, err
	}
}

// listing looks for what is missing for this command line.
func (e *examination) listing(ctx context.Context, store *cosstore.Store) {
	const name = "COS listing"
	for _, err := range store.List(ctx, layout.ProbePrefix, "") {
		if err != nil {
			e.add(warning, name, "not permitted: "+err.Error(), "the function needs none; verify, status and the like need cos:GetBucket")
			return
		}
	}
	e.add(ok, name, "permitted", "")
}

// refusals tries what the function must not be able to do.
func (e *examination) refusals(ctx context.Context, store *cosstore.Store, permanent bool) {
	const name = "COS refusals"
	var allowed []string
	for _, trial := range rights.Trials() {
		switch may, err := trial.May(ctx, store); {
		case err != nil:
			e.add(warning, name, "whether these credentials may "+trial.What+" is not known: "+err.Error(), "")
			return
		case may:
			allowed = append(allowed, trial.What)
		}
	}
	if len(allowed) > 0 && permanent {
		e.add(skipped, name, "a permanent key, the deployer's or the owner's, may "+strings.Join(allowed, ", ")+": that says nothing of the function's role",
			"run doctor with the role's temporary keys to know that; the bucket's own policy would refuse these, too")
		return
	}
	if len(allowed) > 0 {
		e.add(warning, name, "these credentials may "+strings.Join(allowed, ", "), rights.Owner+": "+rolePolicy)
		return
	}
	e.add(ok, name, "deleting, replacing and publishing what is archived", "")
}
