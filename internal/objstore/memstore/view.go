package memstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Op is an operation of the contract.
type Op string

// The operations.
const (
	OpGet       Op = "get"
	OpHead      Op = "head"
	OpCreate    Op = "create"
	OpOverwrite Op = "overwrite"
)

// Call is one request on its way to the store.
type Call struct {
	N     int // from 1, over all views
	Op    Op
	Key   string
	Write *objstore.Write // nil for reads; must not be changed
}

// Fault is what goes wrong with one call, on both sides. The zero value is nothing.
type Fault struct {
	// Lost: a write takes no effect, and a read gets no answer. The caller gets Err.
	Lost bool
	// Err is what the caller is told instead of the truth, whatever the effect was; for a Lost call that has no Err it
	// is objstore.ErrUnknown for writes, and a failure without a condition for reads.
	Err error
	// Retried: a write took effect, its answer was lost, and the store's own second attempt is what the caller hears of:
	// a create-only write gets objstore.ErrExist.
	Retried bool
	// Later takes a write that has not arrived yet. Nothing has happened to the store, the caller gets Err or
	// objstore.ErrUnknown, and the test may let the write arrive by calling the function, which reports whether it took
	// effect.
	Later func(arrive func() bool)
	// Stale: a read sees what was there before the last write, if that was less than Options.Lag ago.
	Stale bool
}

// Hook decides about each call of a view, and may take its time. When it returns an error, nothing was sent and the
// caller gets that.
type Hook func(ctx context.Context, c Call) (Fault, error)

// View is the store as one of its callers meets it. It implements the whole contract but List.
type View struct {
	store  *Store
	caller string
	hook   Hook
}

// View returns the store for a caller whose calls go through a hook.
func (s *Store) View(caller string, hook Hook) *View {
	return &View{store: s, caller: caller, hook: hook}
}

// begin asks the hook about a call.
func (v *View) begin(ctx context.Context, op Op, key string, w *objstore.Write) (int, Fault, error) {
	if err := check(op, key, w); err != nil {
		return 0, Fault{}, err
	}
	if err := ctx.Err(); err != nil {
		return 0, Fault{}, &objstore.Error{Op: string(op), Key: key, Err: err}
	}
	n := v.store.number()
	if v.hook == nil {
		return n, Fault{}, nil
	}
	fault, err := v.hook(ctx, Call{N: n, Op: op, Key: key, Write: w})
	if err != nil {
		return n, fault, &objstore.Error{Op: string(op), Key: key, Attempts: 1, Err: err}
	}
	return n, fault, nil
}

// Get reads a whole object.
func (v *View) Get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	found, object, err := v.read(ctx, OpGet, key)
	if err != nil {
		return nil, objstore.Object{}, err
	}
	return bytes.Clone(found.body), object, nil
}

// Open reads an object piece by piece, as it is now.
func (v *View) Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error) {
	body, object, err := v.Get(ctx, key)
	return io.NopCloser(bytes.NewReader(body)), object, err
}

// Head describes an object.
func (v *View) Head(ctx context.Context, key string) (objstore.Object, error) {
	_, object, err := v.read(ctx, OpHead, key)
	return object, err
}

func (v *View) read(ctx context.Context, op Op, key string) (*version, objstore.Object, error) {
	n, fault, err := v.begin(ctx, op, key, nil)
	if err != nil {
		return nil, objstore.Object{}, err
	}
	if fault.Lost && fault.Err == nil {
		fault.Err = errNoAnswer
	}
	if fault.Err != nil {
		return nil, objstore.Object{}, &objstore.Error{Op: string(op), Key: key, Attempts: 1, Err: fault.Err}
	}
	found := v.store.load(key, fault.Stale)
	if found == nil {
		return nil, objstore.Object{}, v.store.missing(op, key, n)
	}
	if op == OpGet && int64(len(found.body)) > layout.MaxBytes(key) {
		return nil, objstore.Object{}, v.store.refusal(op, key, n, http.StatusOK, "", objstore.ErrTooLarge)
	}
	return found, found.describe(v.store.date()), nil
}

// Create stores an object under a free key.
func (v *View) Create(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	return v.write(ctx, OpCreate, key, w)
}

// Overwrite stores an object, whether or not the key is taken.
func (v *View) Overwrite(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	return v.write(ctx, OpOverwrite, key, w)
}

func (v *View) write(ctx context.Context, op Op, key string, w objstore.Write) (objstore.Object, error) {
	n, fault, err := v.begin(ctx, op, key, &w)
	if err == nil && w.File != nil {
		if w, err = inMemory(w); err != nil {
			err = v.store.refusal(op, key, n, http.StatusBadRequest, "BadDigest", err)
		}
	}
	if err != nil {
		return objstore.Object{}, err
	}
	createOnly := op == OpCreate
	stored := false
	switch {
	case fault.Later != nil:
		late := objstore.Write{Body: bytes.Clone(w.Body), ContentType: w.ContentType, Metadata: cloned(w.Metadata)}
		fault.Later(func() bool { return v.store.store(v.caller, key, late, createOnly) })
		fault.Lost = true
	case !fault.Lost:
		stored = v.store.store(v.caller, key, w, createOnly)
	}
	switch {
	case fault.Err == nil && fault.Lost:
		fault.Err = errors.Join(objstore.ErrUnknown, errNoAnswer)
		fallthrough
	case fault.Err != nil:
		return objstore.Object{}, &objstore.Error{Op: string(op), Key: key, Attempts: 1, Err: fault.Err}
	case createOnly && (fault.Retried || !stored):
		return objstore.Object{}, v.store.taken(op, key, n)
	}
	return objstore.Object{Size: int64(len(w.Body)), CRC64: objstore.CRC64(w.Body), Metadata: cloned(w.Metadata), Date: v.store.date()}, nil
}

// inMemory reads the file of a write.
func inMemory(w objstore.Write) (objstore.Write, error) {
	var b bytes.Buffer
	if err := w.File.CopyTo(&b); err != nil {
		return w, err
	}
	w.Body, w.File = b.Bytes(), nil
	return w, nil
}
