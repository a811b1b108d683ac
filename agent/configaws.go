package agent

import (
	"context"
	"fmt"
	"io"

	"bootswain/ebs"
	"bootswain/internal/cloud"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// reviewAWS says what AWS knows about that stands between an instance and what
// the document asks for, as far as the caller's own credentials can see it. The
// error is that there is such a thing, or that AWS could not be asked.
func reviewAWS(ctx context.Context, account *cloud.Account, zone string, asked *spec.Spec, stdout io.Writer) error {
	c := ebs.Connect(account, zone, "")
	wrong := 0
	for _, v := range asked.Volumes {
		if len(v.EBS.IDs) == 0 && !needsEC2(v.EBS) {
			continue // what a launch template attaches is not known before the launch
		}
		remarks, err := c.Review(ctx, v.EBS.IDs, v.EBS.Tags, v.EBS.Count, v.EBS.Restore)
		if err != nil {
			return subject(err, v.Name)
		}
		for _, r := range remarks {
			kind := "note"
			if r.Wrong {
				kind = "wrong"
				wrong++
			}
			fmt.Fprintf(stdout, "%s: %s: %s\n", kind, v.Name, r.Text)
		}
	}
	if wrong > 0 {
		return &situation.Situation{
			Word: situation.Failed, Subject: "launch data", Text: fmt.Sprintf("%s in AWS would keep it from being followed.", count(wrong, "thing")),
			Next: "correct what is marked as wrong",
		}
	}
	return nil
}
