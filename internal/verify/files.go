package verify

import (
	"context"
	"errors"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Files is what was found of the files that a stream's messages link to: of the receipts that account for the links, and of
// the blobs that these name. That a trail ends early is no fault: it is behind, or switched off.
type Files struct {
	Receipts int          `json:"receipts"`
	Read     int          `json:"receipts_read"`
	Copied   int          `json:"without_metadata,omitempty"` // receipts without metadata: their first lines stand for them
	Last     archive.Link `json:"last_receipt"`               // its sha256 pins all receipts before it

	To          chat.Seq         `json:"to"`          // every link of listed messages up to here is accounted for
	Links       map[string]int64 `json:"links"`       // by state, of those that are accounted for
	Outstanding int64            `json:"outstanding"` // archived links that no receipt accounts for yet

	// Found and Hashed count the stored links of receipts that were read: those whose file is there with the right size, and
	// those whose file was read and has the right bytes.
	Found  int64 `json:"links_found"`
	Hashed int64 `json:"links_hashed"`
	// What was looked at for that, each file once: those that another stream had needed already are not among them.
	Blobs       int64 `json:"blobs"`
	Bytes       int64 `json:"blob_bytes"`
	BlobsHashed int64 `json:"blobs_hashed"`
	BytesHashed int64 `json:"blob_bytes_hashed"`
}

// Accounted returns how many links the receipts account for.
func (f *Files) Accounted() int64 {
	var sum int64
	for _, n := range f.Links {
		sum += n
	}
	return sum
}

// files returns the part of the report that tells of files, which a stream without any does not have.
func (r *Report) files() *Files {
	if r.Files == nil {
		r.Files = &Files{Links: map[string]int64{}}
	}
	return r.Files
}

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
	r.checkHint()
	if v.report.Files == nil && v.report.Totals.Links == 0 {
		return nil
	}
	f := v.report.files()
	f.To = v.report.ListedTo
	if r.end != 0 {
		f.To = r.end - 1
	}
	f.Outstanding = max(0, v.report.Totals.Links-f.Accounted())
	return nil
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
	return r.v.state.Media
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
		r.v.add(KindStateAhead, key, "media.frontier is %d, but the links are accounted for below %d only", hint.Frontier, end)
	case hint.After == nil:
	case r.after == nil:
		r.v.add(KindState, key, "media.after names the receipt at %d, which is not in the trail", hint.After.Lo)
	case r.after.SHA256 != hint.After.SHA256:
		r.v.add(KindState, key, "names another sha256 of %s than it has, %s", layout.Media(r.v.stream, hint.After.Lo), r.after.SHA256)
	case r.after.Hi >= hint.Frontier:
		r.v.add(KindState, key, "media.frontier is %d, but the receipt that after names ends at %d", hint.Frontier, r.after.Hi)
	}
}

// checkPin looks for the receipt that a manifest names as the last one of its time: it was there before the manifest was.
func (r *receipts) checkPin(ctx context.Context, manifest string, pin *archive.Pin) error {
	if pin == nil || *pin == r.pin {
		return nil
	}
	r.pin = *pin
	r.v.report.files()
	if *pin != r.last {
		if err := r.lookAt(ctx, manifest, pin); err != nil {
			return err
		}
	}
	if r.end == 0 || pin.Lo <= r.end {
		return nil
	}
	key := layout.Media(r.v.stream, r.end)
	_, found, err := r.v.read(ctx, key) // the trail may have gone on meanwhile
	if err == nil && !found {
		r.v.addOnce(KindMissingReceipt, key, "does not exist, but %s names a receipt behind it, at %d", manifest, pin.Lo)
	}
	return err
}

// lookAt compares a receipt that a manifest names with what is there.
func (r *receipts) lookAt(ctx context.Context, manifest string, pin *archive.Pin) error {
	v, key := r.v, layout.Media(r.v.stream, pin.Lo)
	var hash string
	object, err := v.store.Head(ctx, key)
	if err == nil {
		var meta archive.ReceiptMeta
		meta, err = archive.Media().ParseMetadata(object.Metadata)
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
