# ruff: noqa: F821  # the shell gives env
# For `odoo-bin shell`: attachments as a company of some years has them, and the users that work with them.
import math
import random

number = random.Random(5)
contents = [number.randbytes(min(3_000_000, max(1, int(number.lognormvariate(math.log(9000), 1.3))))) for _file in range(4500)]
# The same content under two names is one file.
contents += contents[:500]
for start in range(0, len(contents), 250):
    env["ir.attachment"].create(
        [
            # Of a partner, so that every user may read them.
            {"name": f"document {start + index}.bin", "raw": content, "res_model": "res.partner", "res_id": 1, "public": index % 50 == 0}
            for index, content in enumerate(contents[start : start + 250])
        ]
    )
    env.cr.commit()
for person in range(10):
    env["res.users"].create({"name": f"Person {person}", "login": f"person{person}", "password": f"secret-of-person-{person}"})
env.cr.commit()
print(len(contents), "attachments were made")
