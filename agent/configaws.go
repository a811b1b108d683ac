package agent

import (
	"context"
	"fmt"
	"io"
	"strings"

	"bootswain/ebs"
	"bootswain/internal/cloud"
	"bootswain/internal/situation"
	"bootswain/secret"
	"bootswain/spec"
)

// reviewAWS says what AWS knows about that stands between an instance and what
// the document asks for, as far as the caller's own credentials can see it. The
// error is that there is such a thing, or that AWS could not be asked.
func reviewAWS(ctx context.Context, account *cloud.Account, zone string, asked *spec.Spec, stdout io.Writer) error {
	c := ebs.Connect(account, zone, "")
	wrong := 0
	for _, v := range asked.Volumes {
		remarks := reviewKeys(ctx, account, v.Encryption)
		if len(v.EBS.IDs) > 0 || needsEC2(v.EBS) { // what a launch template attaches is not known before the launch
			more, err := c.Review(ctx, v.EBS.IDs, v.EBS.Tags, v.EBS.Count, v.EBS.Restore)
			if err != nil {
				return subject(err, v.Name)
			}
			remarks = append(remarks, more...)
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

// reviewKeys asks KMS for the keys that it has encrypted. That the caller is
// denied them is only noted: it is the instance's role that has to have them.
func reviewKeys(ctx context.Context, account *cloud.Account, e spec.Encryption) (remarks []ebs.Remark) {
	for _, source := range e.Sources {
		k := source.KMS
		if k == nil {
			continue
		}
		err := secret.TryKMS(ctx, account, k.Key, k.Ciphertext, k.Context)
		if s := situation.Of(err); s != nil {
			f := cloud.Of(err)
			remarks = append(remarks, ebs.Remark{Text: strings.TrimSuffix(s.Text, ". Data untouched."), Wrong: f == nil || f.Kind != cloud.Denied})
		} else if err != nil {
			remarks = append(remarks, ebs.Remark{Text: err.Error(), Wrong: true})
		}
	}
	return remarks
}
