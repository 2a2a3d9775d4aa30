package chatapi

import (
	"context"
	"fmt"
	"math"

	"chatexport/internal/chat"
)

// MaxGroupIDs is the most ids that get_appid_group_list returns at once (Chat documentation, get_appid_group_list).
const MaxGroupIDs = 10000

// GroupIDs reads one page of the list of all groups: at most limit ids, from 1 to MaxGroupIDs, of one type or of all
// types if groupType is empty. next is 0 at first, then what the call before returned; a returned 0 means the end. The
// list has no documented order and may change meanwhile: an id may come twice, and a new group may be missing. The
// service allows one such call a second.
func (c *Client) GroupIDs(ctx context.Context, next uint64, limit int, groupType string) ([]string, uint64, error) {
	answer, x, err := c.answer(ctx, groupService, "get_appid_group_list", struct {
		Limit     int
		Next      uint64
		GroupType string `json:",omitempty"`
	}{limit, next, groupType})
	if err != nil {
		return nil, 0, err
	}
	items, err := answer.list("GroupIdList")
	if err != nil {
		return nil, 0, c.malformed(x, err)
	}
	ids := make([]string, len(items))
	for i, item := range items {
		if ids[i] = item.text("GroupId"); ids[i] == "" {
			return nil, 0, c.malformed(x, fmt.Errorf("%w: GroupIdList[%d] has no GroupId", chat.ErrMalformed, i))
		}
	}
	var following uint64
	err = natural(answer, "Next", math.MaxUint64, &following)
	if err == nil && following == next && next != 0 {
		err = fmt.Errorf("%w: Next does not advance", chat.ErrMalformed)
	}
	if err != nil {
		return nil, 0, c.malformed(x, err)
	}
	return ids, following, nil
}
