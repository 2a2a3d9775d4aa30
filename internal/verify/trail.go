package verify

import (
	"context"
	"errors"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// finish judges the trail as a whole, once all manifests were read.
func (r *receipts) finish(ctx context.Context) error {
	v := r.v
	if hint := r.hint(); r.list || hint != nil && hint.After != nil {
		r.open(ctx)
	}
	if r.keys != nil {
		grown, err := r.grown(ctx)
		if err == nil && !grown {
			err = r.skim("")
		}
		if err != nil {
			return err
		}
	}
	if r.hi > v.report.ListedTo {
		v.add(KindOverlap, r.key(r.last.Lo), "covers [%d, %d], but manifests list chunks up to %d only", r.last.Lo, r.hi, v.report.ListedTo)
	}
	r.checkHint()
	r.tell(r)
	return nil
}

// to returns up to where everything that is listed is accounted for.
func (r *receipts) to() chat.Seq {
	if r.end != 0 {
		return r.end - 1
	}
	return r.v.report.ListedTo
}

// grown reports whether what is still listed may belong to a manifest that was written after the last one was looked for.
func (r *receipts) grown(ctx context.Context) (bool, error) {
	key, ok, err := r.keys.peek()
	if err != nil || !ok {
		return false, err
	}
	listed := r.v.report.ListedTo
	name, _ := layout.Parse(key) // a foreign one begins nowhere
	if name.Lo <= listed || listed == 0 || listed == chat.MaxSeq {
		return false, nil
	}
	_, found, err := r.v.read(ctx, layout.Manifest(r.v.stream, listed+1))
	return found, err
}

// hint is where the trail stands as the state says, nil if it does not.
func (r *receipts) hint() *archive.TrailHint {
	if r.v.state == nil {
		return nil
	}
	return *r.v.state.Of(r.form)
}

// checkHint compares the state with what was found. It was read first: it may be behind the trail, but never ahead.
func (r *receipts) checkHint() {
	hint := r.hint()
	if hint == nil {
		return
	}
	key := layout.State(r.v.stream)
	end := r.end
	if end == 0 {
		end = max(r.v.report.ListedTo+1, r.v.report.Lo)
	}
	switch {
	case hint.Frontier > end:
		r.v.add(KindStateAhead, key, "%s.frontier is %d, but the %s are accounted for below %d only", r.hinted, hint.Frontier, r.noun, end)
	case hint.After == nil:
	case r.after == nil:
		r.v.add(KindState, key, "%s.after names the receipt at %d, which is not in the trail", r.hinted, hint.After.Lo)
	case r.after.SHA256 != hint.After.SHA256:
		r.v.add(KindState, key, "names another sha256 of %s than it has, %s", r.key(hint.After.Lo), r.after.SHA256)
	case r.after.Hi >= hint.Frontier:
		r.v.add(KindState, key, "%s.frontier is %d, but the receipt that after names ends at %d", r.hinted, hint.Frontier, r.after.Hi)
	}
}

// checkPin looks for the receipt that a manifest names as the last one of its time: it was there before the manifest was.
func (r *receipts) checkPin(ctx context.Context, manifest string, pin *archive.Pin) error {
	if pin == nil || *pin == r.pin {
		return nil
	}
	r.pin = *pin
	r.report()
	if *pin != r.last {
		if err := r.lookAt(ctx, manifest, pin); err != nil {
			return err
		}
	}
	if r.end == 0 || pin.Lo <= r.end {
		return nil
	}
	key := r.key(r.end)
	_, found, err := r.v.read(ctx, key) // the trail may have gone on meanwhile
	if err == nil && !found {
		r.v.addOnce(KindMissingReceipt, key, "does not exist, but %s names a receipt behind it, at %d", manifest, pin.Lo)
	}
	return err
}

// lookAt compares a receipt that a manifest names with what is there.
func (r *receipts) lookAt(ctx context.Context, manifest string, pin *archive.Pin) error {
	v, key := r.v, r.key(pin.Lo)
	var hash string
	object, err := v.store.Head(ctx, key)
	if err == nil {
		var meta archive.ReceiptMeta
		meta, err = r.form.ParseMetadata(object.Metadata)
		hash = meta.SHA256
	}
	if err != nil { // it is a copy, or only a GET is proof
		body, found, err := v.read(ctx, key)
		switch {
		case err != nil:
			return err
		case !found:
			v.addOnce(KindMissingReceipt, key, "does not exist, but %s names it", manifest)
			return nil
		case body == nil: // corrupt, which read has told
			return nil
		}
		hash = sum(body)
	}
	if hash != pin.SHA256 {
		v.add(KindReceiptChain, key, "does not have the sha256 that %s names, %s", manifest, pin.SHA256)
	}
	return nil
}

// absent reports whether err says that an object is not there.
func absent(err error) bool { return errors.Is(err, objstore.ErrNotExist) }
