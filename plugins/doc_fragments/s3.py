# Copyright: (c) 2026, the odooops.stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # What all modules need to reach a server.
    CONNECTION = r"""
options:
  endpoint_url:
    description:
      - The URL of the server, such as V(https://s3.example.com) or V(http://127.0.0.1:9000); without it, AWS.
      - If not set, the environment's E(AWS_ENDPOINT_URL_S3), then E(AWS_ENDPOINT_URL), and then that of O(profile) is used.
    type: str
  region:
    description:
      - The region that requests are signed for.
      - If not set, the environment's E(AWS_REGION), then E(AWS_DEFAULT_REGION), and then that of O(profile) is used.
    type: str
  profile:
    description:
      - A profile of the AWS config and credentials files of the user that the module runs as; the environment can name these
        files by E(AWS_CONFIG_FILE) and E(AWS_SHARED_CREDENTIALS_FILE). What it needs is taken from it where no option has it.
      - Without it, the one that E(AWS_PROFILE) names, and then C(default), gives what neither options nor the environment have.
      - It needs boto3.
    type: str
  access_key:
    description:
      - The access key that requests are signed with.
      - If not set, that of O(profile) is used. If that is not set either, the environment's E(AWS_ACCESS_KEY_ID),
        E(AWS_SECRET_ACCESS_KEY) and E(AWS_SESSION_TOKEN) are used, and then what boto3 finds elsewhere.
      - The key, its secret and its token are always taken from one place.
    type: str
  secret_key:
    description:
      - The secret of O(access_key), which goes with it.
    type: str
  session_token:
    description:
      - The token that belongs to O(access_key), where that is a temporary one; it needs it beside it.
    type: str
  ca_bundle:
    description:
      - The path, on the host where the module runs, of the PEM certificates of the CAs to trust.
      - If not set, the environment's E(AWS_CA_BUNDLE), and then that of O(profile) is used, and after it the CAs that come with the client library.
    type: path
  validate_certs:
    description:
      - Whether the server's certificate must be a trusted one. Set it to V(false) for no other purpose than a passing test.
    type: bool
    default: true
  connect_timeout:
    description:
      - How many seconds to wait for a connection.
    type: float
    default: 10
  read_timeout:
    description:
      - How many seconds to wait for an answer.
    type: float
    default: 60
  retries:
    description:
      - How many times a request is tried in all.
    type: int
    default: 3
notes:
  - Ansible shows what a task's C(environment) holds in its verbose output and to all who can list the host's processes.
    Give a secret by O(secret_key), or by a profile in a file that only the user of the module can read, and not there.
"""

    DOCUMENTATION = r"""
options:
  addressing_style:
    description:
      - Whether the bucket's name stands in the path of the URL (V(path)) or before the host's name (V(virtual)).
      - V(auto) is V(path) where O(endpoint_url) is set, and what AWS wants where it is not.
    type: str
    choices: [auto, path, virtual]
    default: auto
requirements:
  - boto3 >= 1.26
"""
