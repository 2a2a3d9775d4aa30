package filescmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"chatexport/internal/chat"
	"chatexport/internal/folder"
)

// What a folder of files has beside them.
const (
	ownerName = ".chatexport-files" // names the stream
	lockName  = ".chatexport-files.lock"
)

// owner is what the folder says of itself.
type owner struct {
	GroupID string `json:"group_id"`
	TopicID string `json:"topic_id,omitempty"`
}

// openFolder makes the folder, or finds that it has the files of the same stream. It refuses one that has anything else. Until
// done is called no other process writes to it.
func openFolder(path string, s chat.Stream) (_ *folder.Folder, done func() error, err error) {
	dir, err := folder.Make(path)
	if err != nil {
		return nil, nil, fmt.Errorf("--out: %w", err)
	}
	var unlock func() error
	if err = claim(dir, owner{GroupID: s.GroupID, TopicID: s.TopicID}); err == nil {
		unlock, err = dir.Lock(lockName)
	}
	if err == nil {
		if err = sweep(dir); err != nil {
			err = errors.Join(err, unlock())
		}
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("--out %s: %w", path, err), dir.Close())
	}
	return dir, func() error { return errors.Join(unlock(), dir.Close()) }, nil
}

// claim says whose files are in the folder, if it is empty.
func claim(dir *folder.Folder, want owner) error {
	const most = 4 << 10
	raw, err := dir.ReadFile(ownerName, most)
	if err == nil {
		var found owner
		if err := json.Unmarshal(raw, &found); err != nil || found != want {
			return errors.New("has the files of another group or topic; choose another folder")
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	there, err := dir.ReadDir(".")
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return errors.New("is not empty, and not of this command; choose another folder")
	}
	raw, err = json.Marshal(want)
	if err != nil {
		return err
	}
	// A crash in this write: the folder is refused from then on, and has nothing in it.
	return dir.Create(ownerName, raw, true)
}

// sweep removes what an earlier run that was killed was writing.
func sweep(dir *folder.Folder) error {
	there, err := dir.ReadDir(".")
	if err != nil {
		return err
	}
	for _, entry := range there {
		if strings.HasPrefix(entry.Name(), partPrefix) {
			if err := dir.Remove(entry.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}
