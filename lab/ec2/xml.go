package ec2

import (
	"crypto/rand"
	"maps"
	"slices"
	"time"
)

// The answers, with the elements of EC2's API reference that the laboratory
// has something to say for.

type head struct {
	RequestID string `xml:"requestId"`
}

func newHead() head { return head{rand.Text()} }

type doneAnswer struct {
	head
	Return bool `xml:"return"`
}

type tagItem struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

func tagItems(tags map[string]string) (items []tagItem) {
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		items = append(items, tagItem{k, tags[k]})
	}
	return items
}

type attachmentItem struct {
	Volume     string `xml:"volumeId"`
	Instance   string `xml:"instanceId"`
	Device     string `xml:"device"`
	Status     string `xml:"status"`
	Time       string `xml:"attachTime"`
	Terminates bool   `xml:"deleteOnTermination"`
}

type attachmentAnswer struct {
	head
	attachmentItem
}

func (v *Volume) attachmentItem(a Attachment) attachmentItem {
	return attachmentItem{Volume: v.ID, Instance: a.Instance, Device: a.Device, Status: a.State, Time: stamp(v.created), Terminates: a.Ends}
}

type volumeItem struct {
	ID          string           `xml:"volumeId"`
	Size        int              `xml:"size"`
	Snapshot    string           `xml:"snapshotId"`
	Zone        string           `xml:"availabilityZone"`
	Status      string           `xml:"status"`
	Created     string           `xml:"createTime"`
	Attachments []attachmentItem `xml:"attachmentSet>item"`
	Tags        []tagItem        `xml:"tagSet>item"`
	Type        string           `xml:"volumeType"`
	Encrypted   bool             `xml:"encrypted"`
	MultiAttach bool             `xml:"multiAttachEnabled"`
}

type volumeAnswer struct {
	head
	volumeItem
}

type volumesAnswer struct {
	head
	Volumes []volumeItem `xml:"volumeSet>item"`
	Next    string       `xml:"nextToken,omitempty"`
}

func (v *Volume) item() volumeItem {
	i := volumeItem{
		ID: v.ID, Size: v.Size, Snapshot: v.Snapshot, Zone: v.Zone, Status: v.status(), Created: stamp(v.created),
		Tags: tagItems(v.Tags), Type: v.Type, MultiAttach: v.MultiAttach,
	}
	for _, a := range v.Attachments {
		i.Attachments = append(i.Attachments, v.attachmentItem(a))
	}
	return i
}

type snapshotItem struct {
	ID      string    `xml:"snapshotId"`
	Volume  string    `xml:"volumeId"`
	Status  string    `xml:"status"`
	Started string    `xml:"startTime"`
	Size    int       `xml:"volumeSize"`
	Tags    []tagItem `xml:"tagSet>item"`
}

type snapshotsAnswer struct {
	head
	Snapshots []snapshotItem `xml:"snapshotSet>item"`
	Next      string         `xml:"nextToken,omitempty"`
}

func (p *Snapshot) item() snapshotItem {
	return snapshotItem{ID: p.ID, Volume: p.Volume, Status: p.status(), Started: stamp(p.Started), Size: p.Size, Tags: tagItems(p.Tags)}
}

type instanceItem struct {
	ID   string `xml:"instanceId"`
	Zone string `xml:"placement>availabilityZone"`
	Code int    `xml:"instanceState>code"`
	Name string `xml:"instanceState>name"`
}

type reservationItem struct {
	ID        string         `xml:"reservationId"`
	Instances []instanceItem `xml:"instancesSet>item"`
}

type instancesAnswer struct {
	head
	Reservations []reservationItem `xml:"reservationSet>item"`
	Next         string            `xml:"nextToken,omitempty"`
}

// stateCodes are those of the API reference, type InstanceState.
var stateCodes = map[string]int{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

func (i *Instance) item() instanceItem {
	return instanceItem{ID: i.ID, Zone: i.Zone, Code: stateCodes[i.State], Name: i.State}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
