"""Write test/goldens/schedulers.safetensors: diffusers' schedulers, step by step, on a toy network.

Usage: python schedulers.py [OUTPUT]
Ran with diffusers 0.42.1, torch 2.13.0, safetensors 0.8.0 (the file's metadata names what it was
made with). The network is tanh(gain * input + slope * timestep / 1000 + bias), element by element,
so that every step is nonlinear in the state; noise comes from one table, row i for call i. States
are float64 where the scheduler keeps that (Euler and DPM-Solver++ round to float32): one Heun step
from sigma 84 to 0.04 loses 5e-5 to cancellation in float32.
"""

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers.schedulers import scheduling_euler_ancestral_discrete as ancestral
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
diffusers.logging.set_verbosity_error()

MUSICLDM = {
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "thresholding": False,
    "trained_betas": None,
    "rescale_betas_zero_snr": False,
}
CLASSES = {
    "ddim": "DDIMScheduler",
    "pndm": "PNDMScheduler",
    "lms": "LMSDiscreteScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpmsolver++": "DPMSolverMultistepScheduler",
    "dpmsolver++-sde": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
}
STEPS = (1, 2, 3, 5, 10, 20, 25, 50)
BENT = ("lms", "euler", "heun", "dpmsolver++", "dpmsolver++-sde", "unipc")
MULTISTEP = ("dpmsolver++", "dpmsolver++-sde", "unipc")
WIDTH = 8


def make_tables():
    generator = torch.Generator().manual_seed(2)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    return {
        "network": torch.stack([0.8 + 0.3 * draw(WIDTH), draw(WIDTH), 0.3 * draw(WIDTH)]),
        "start": draw(WIDTH),
        "noise": draw(400, WIDTH),
    }


def cases():
    """Yield (solver, steps, config beyond MUSICLDM, eta, begin)."""
    for solver in CLASSES:
        for spacing in ("leading", "trailing", "linspace"):
            for steps in STEPS:
                yield solver, steps, {"timestep_spacing": spacing}, 0.0, 0
        predictions = ["v_prediction"]
        if solver not in ("pndm", "euler-ancestral"):
            predictions.append("sample")
        for prediction in predictions:
            for spacing in ("leading", "trailing"):
                config = {"prediction_type": prediction, "timestep_spacing": spacing}
                yield solver, 10, config, 0.0, 0
        for schedule in ("linear", "squaredcos_cap_v2"):
            yield solver, 10, {"beta_schedule": schedule}, 0.0, 0
        betas = np.linspace(0.001, 0.03, 400).tolist()
        yield solver, 10, {"trained_betas": betas, "num_train_timesteps": 400}, 0.0, 0
    yield from option_cases()


def option_cases():
    for steps in (200, 333):
        yield "ddim", steps, {}, 0.0, 0
    for eta in (0.5, 1.0):
        for steps in (1, 5, 25, 200):
            yield "ddim", steps, {}, eta, 0
    for solver in ("ddim", "pndm"):
        yield solver, 10, {"set_alpha_to_one": True}, 0.0, 0
    zero_snr = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
    for solver in ("ddim", "euler", "euler-ancestral", *MULTISTEP):
        yield solver, 10, {**zero_snr, "timestep_spacing": "trailing"}, 0.0, 0
    for solver in BENT:
        for law in ("karras", "exponential"):
            for steps in (1, 2, 5, 10, 25):
                yield solver, steps, {f"use_{law}_sigmas": True}, 0.0, 0
            spread = {f"use_{law}_sigmas": True, "timestep_spacing": "trailing"}
            yield solver, 10, spread, 0.0, 0
            yield solver, 10, {**spread, "beta_schedule": "squaredcos_cap_v2"}, 0.0, 0
    for solver in ("euler", *MULTISTEP):
        yield solver, 10, {"final_sigmas_type": "sigma_min"}, 0.0, 0
        yield solver, 20, {"final_sigmas_type": "sigma_min"}, 0.0, 0
        yield solver, 10, {"final_sigmas_type": "sigma_min", "use_karras_sigmas": True}, 0.0, 0
    for solver in ("ddim", "euler", "euler-ancestral", *MULTISTEP):
        for begin in (1, 3, 9):
            yield solver, 10, {}, 0.0, begin
    yield "heun", 10, {}, 0.0, 4
    yield from multistep_cases()


def multistep_cases():
    for solver in MULTISTEP:
        for order in (1, 3):
            if order == 3 and solver == "dpmsolver++-sde":
                continue
            for steps in (1, 2, 3, 5, 10, 20):
                yield solver, steps, {"solver_order": order}, 0.0, 0
        yield solver, 20, {"euler_at_final": True, "final_sigmas_type": "sigma_min"}, 0.0, 0
        open_end = {"lower_order_final": False, "final_sigmas_type": "sigma_min"}
        yield solver, 10, open_end, 0.0, 0
    for solver in ("dpmsolver++", "dpmsolver++-sde"):
        for steps in (5, 20):
            yield solver, steps, {"solver_type": "heun"}, 0.0, 0
        yield solver, 10, {"lambda_min_clipped": -3.0}, 0.0, 0
        yield solver, 10, {"lambda_min_clipped": -3.0, "timestep_spacing": "linspace"}, 0.0, 0
    for order in (2, 3):
        for steps in (5, 20):
            # With a final sigma of 0 the last bh1 step is NaN upstream.
            bent = {"solver_type": "bh1", "final_sigmas_type": "sigma_min"}
            yield "unipc", steps, {**bent, "solver_order": order}, 0.0, 0
    yield "unipc", 10, {"disable_corrector": [0, 1, 4]}, 0.0, 0


def run(tables, case):
    """Return the timesteps, the state after every call, and the starting scale."""
    solver, steps, extra, eta, begin = case
    config = {**MUSICLDM, **extra}
    if solver == "dpmsolver++-sde":
        config["algorithm_type"] = "sde-dpmsolver++"
    scheduler = getattr(diffusers, CLASSES[solver]).from_config(config)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin * scheduler.order)
    timesteps = scheduler.timesteps[begin * scheduler.order :]
    gain, slope, bias = tables["network"].double()
    scale = float(scheduler.init_noise_sigma)
    x = tables["start"][None].double() * scale
    states = []
    for i, timestep in enumerate(timesteps):
        seen = scheduler.scale_model_input(x, timestep)
        output = torch.tanh(gain * seen + slope * (float(timestep) / 1000) + bias)
        noise = tables["noise"][i][None].double()
        ancestral.randn_tensor = lambda *_, noise=noise, **__: noise
        options = {}
        if solver == "ddim" and eta > 0:
            options = {"eta": eta, "variance_noise": noise}
        if solver == "dpmsolver++-sde":
            options = {"variance_noise": noise}
        x = scheduler.step(output, timestep, x, **options).prev_sample
        states.append(x[0])
    return timesteps.to(torch.float32), torch.stack(states).to(torch.float32), scale


def main():
    default = Path(__file__).parent.parent / "goldens" / "schedulers.safetensors"
    tables = make_tables()
    records, timesteps, states = [], [], []
    for case in cases():
        solver, steps, extra, eta, begin = case
        t, x, scale = run(tables, case)
        if not torch.isfinite(x).all():
            raise ValueError(f"not finite: {solver} {steps} {extra}")
        record = {"solver": solver, "steps": steps, "config": extra}
        record |= {"calls": len(t), "scale": scale}
        if eta:
            record["eta"] = eta
        if begin:
            record["begin"] = begin
        if "trained_betas" in extra:
            record["config"] = {**extra, "trained_betas": "linspace(0.001, 0.03, 400)"}
        records.append(record)
        timesteps.append(t)
        states.append(x)
    tensors = {**tables, "timesteps": torch.cat(timesteps), "states": torch.cat(states)}
    packages = ("diffusers", "torch", "safetensors", "numpy", "scipy")
    metadata = {
        "versions": json.dumps({name: version(name) for name in packages}),
        "config": json.dumps(MUSICLDM),
        "classes": json.dumps(CLASSES),
        "cases": json.dumps(records, separators=(",", ":")),
    }
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    save_file(tensors, output, metadata)
    output.chmod(0o644)
    print(len(records), "cases,", sum(map(len, timesteps)), "calls")


if __name__ == "__main__":
    main()
